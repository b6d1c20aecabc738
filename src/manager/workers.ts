/** The processes that do what the manager does not do itself: systemd runs each in a unit of its own. */
import { join } from "node:path";
import type { Paths } from "../config/paths.ts";
import type { Tools } from "../store/tool.ts";
import type { Unpacker } from "../store/unpacker.ts";
import { connectSystemd, type Systemd } from "../systemd/systemd.ts";

export type Workers = AsyncDisposable & {
  readonly unpacker: Unpacker;
  readonly tools: Tools;
  /** Connects when it is needed for the first time. */
  systemd(): Promise<Systemd>;
};

export type WorkersOptions = {
  readonly paths: Paths;
  /** Runs gantry-unpack; a transient unit of systemd's unless given. */
  readonly unpacker?: Unpacker | undefined;
  /** Runs gantry-pack and gantry-audit; transient units unless given. */
  readonly tools?: Tools | undefined;
};

export function openWorkers({ paths, unpacker, tools }: WorkersOptions): Workers {
  let connection: Promise<Systemd> | undefined;
  const systemd = () => {
    connection ??= connectSystemd();
    return connection;
  };
  const program = join(paths.libexec, "gantry-unpack");
  return {
    // Loaded when they are needed: a fetcher is started before.
    unpacker:
      unpacker ??
      (async (request) => {
        const { unitUnpacker } = await import("../store/unpack-unit.ts");
        return await unitUnpacker(await systemd(), program)(request);
      }),
    tools:
      tools ??
      (async (run) => (await import("../store/tool-unit.ts")).unitTools(systemd, paths.libexec)(run)),
    systemd,
    [Symbol.asyncDispose]: async () => {
      // A connection that failed was reported by whoever needed it.
      const connected = await connection?.catch(() => undefined);
      await connected?.[Symbol.asyncDispose]();
    },
  };
}
