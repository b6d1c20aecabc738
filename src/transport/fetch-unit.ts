/** gantry-fetcher's transient unit (docs/fetcher.md): it reaches the network, and of the host its inbox and nothing else. */
import { type Bind, sealedService } from "../systemd/confinement.ts";
import type { Systemd, TransientUnit } from "../systemd/systemd.ts";

export type FetchUnit = {
  /** The operation it works for, which names the unit: `gantry-fetch-<operation>.service`. */
  readonly operation: string;
  readonly program: string;
  /** Directories of the host: its root, its inbox, and the FIFOs of layers. */
  readonly root: string;
  /** What of the host its root does without (sealed-root.ts). */
  readonly bound: readonly Bind[];
  readonly inbox: string;
  readonly layers: string;
  /** FIFOs that are its standard input and output. */
  readonly input: string;
  readonly output: string;
};

/** Its inbox and the FIFOs, as it sees them. */
export const INBOX = "/inbox";
export const LAYERS = "layers";

const MEMORY = 256 * 1024 ** 2;

/** How names become addresses: files of /etc, for its root. */
export const NETWORK_FILES = ["resolv.conf", "hosts", "host.conf", "nsswitch.conf", "gai.conf"];

/** Which certificates this machine trusts. */
const CERTIFICATES: readonly Bind[] = ["/etc/ssl", "/etc/pki"].map((path) => ({
  ...{ from: path, to: path },
  optional: true,
}));

/** The unit, to be run to its end. */
export function fetchUnit(fetch: FetchUnit): TransientUnit {
  const { operation, program } = fetch;
  return {
    name: unitName(operation),
    properties: [
      ["Description", "s", `Fetch an image for ${operation}`],
      ["ExecStart", "a(sasb)", [[program, [program], false]]],
      ["StandardInputFile", "s", fetch.input],
      ["StandardOutputFile", "s", fetch.output],
      ["StandardError", "s", "journal"],
      ["SyslogIdentifier", "s", "gantry-fetcher"],
      ["WorkingDirectory", "s", "/"],
      // A runtime must not take options from systemd's own environment.
      ["Environment", "as", ["NODE_OPTIONS=", "HOME=/"]],
      // Node is started without its compiler.
      ["MemoryDenyWriteExecute", "b", true],
      ...sealedService({
        root: fetch.root,
        readable: [...fetch.bound, ...CERTIFICATES, { from: fetch.layers, to: `${INBOX}/${LAYERS}` }],
        writable: [{ from: fetch.inbox, to: INBOX }],
        families: ["AF_INET", "AF_INET6"],
        memory: MEMORY,
      }),
    ],
  };
}

/** Stops the fetcher that an operation has left running, so that its directory can go. */
export async function stopFetchers(systemd: Systemd, operation: string): Promise<void> {
  for (const { name } of await systemd.listUnits([unitName(operation)])) {
    await systemd.stopUnit(name);
    // Nobody is left to read why it ended.
    await systemd.resetFailedUnit(name);
  }
}

export function unitName(operation: string): string {
  return `gantry-fetch-${operation}.service`;
}
