/**
 * gantry-verifier's transient unit: no network, no capability, a user of its own, and of the host the programs of /usr and
 * one request. systemd opens the ACI for it, which its user could not.
 */
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { readBounded, storeError } from "../base/file.ts";
import { randomHex } from "../base/random.ts";
import { quoted } from "../base/text.ts";
import { type Bind, sealedService } from "../systemd/confinement.ts";
import { furnishRoot } from "../systemd/sealed-root.ts";
import type { ServiceOutcome, Systemd, TransientUnit } from "../systemd/systemd.ts";
import { ANSWER_LIMIT, type Verifier, type VerifierRun } from "./verifier.ts";

export type VerifierUnit = {
  /** Its name begins with `gantry-verify-<operation>-`. */
  readonly operation: string;
  readonly program: string;
  /** A directory of the operation, in which what is needed for a while is made. */
  readonly directory: string;
};

const REQUEST = "/request";
const MEMORY = 512 * 1024 ** 2;
/** Hashing an ACI of many gigabytes takes minutes; whoever takes longer is stuck. */
const LONGEST = 30 * 60 * 1_000_000;

/** Runs gantry-verifier under systemd. */
export function unitVerifier(systemd: () => Promise<Systemd>, unit: VerifierUnit): Verifier {
  return async (run) => {
    const place = await mkdtemp(join(unit.directory, "verify-"));
    try {
      const files = await makePlace(place, run);
      const name = `gantry-verify-${unit.operation}-${randomHex(3)}.service`;
      const service = verifierUnit({ name, program: unit.program, ...files, archive: run.archive });
      return await runToEnd(await systemd(), service, { ...files, signal: run.signal });
    } catch (error) {
      throw storeError(error, place);
    } finally {
      await rm(place, { recursive: true, force: true });
    }
  };
}

/** Stops what an operation has left running, so that its directory can go. */
export async function stopVerifiers(systemd: Systemd, operation: string): Promise<void> {
  for (const { name } of await systemd.listUnits([`gantry-verify-${operation}-*.service`])) {
    await systemd.stopUnit(name);
    // Nobody is left to read why it ended.
    await systemd.resetFailedUnit(name);
  }
}

type Files = {
  readonly root: string;
  /** What of the host its root does without. */
  readonly bound: readonly Bind[];
  readonly request: string;
  readonly answer: string;
};

async function makePlace(place: string, { request }: VerifierRun): Promise<Files> {
  const files = { root: join(place, "root"), request: join(place, "request"), answer: join(place, "answer") };
  // Nothing in a request is secret: keys are public, and so are signatures. The user that shall read it has no name yet.
  await writeFile(files.request, JSON.stringify(request));
  await chmod(files.request, 0o444);
  await writeFile(files.answer, "", { mode: 0o600 });
  await mkdir(files.root, { mode: 0o755 });
  await chmod(files.root, 0o755);
  return { ...files, bound: await furnishRoot(files.root) };
}

type Described = Files & {
  readonly name: string;
  readonly program: string;
  readonly archive?: string | undefined;
};

/** The unit, to be run to its end. */
export function verifierUnit({
  name,
  program,
  root,
  bound,
  request,
  answer,
  archive,
}: Described): TransientUnit {
  return {
    name,
    properties: [
      ["Description", "s", "Verify an image's signatures"],
      ["ExecStart", "a(sasb)", [[program, [program, REQUEST], false]]],
      archive === undefined ? ["StandardInput", "s", "null"] : ["StandardInputFile", "s", archive],
      ["StandardOutputFileToTruncate", "s", answer],
      ["StandardError", "s", "journal"],
      ["SyslogIdentifier", "s", "gantry-verifier"],
      ["WorkingDirectory", "s", "/"],
      // A runtime must not take options from systemd's own environment.
      ["Environment", "as", ["NODE_OPTIONS=", "HOME=/", "UV_THREADPOOL_SIZE=2"]],
      ["TimeoutStartUSec", "t", LONGEST],
      ["LimitFSIZE", "t", ANSWER_LIMIT],
      // Node is started without its compiler.
      ["MemoryDenyWriteExecute", "b", true],
      ...sealedService({
        root,
        readable: [...bound, { from: request, to: REQUEST }],
        writable: [],
        families: [],
        memory: MEMORY,
      }),
    ],
  };
}

async function runToEnd(
  systemd: Systemd,
  unit: TransientUnit,
  { answer, signal }: Pick<Files, "answer"> & Pick<VerifierRun, "signal">,
): Promise<Buffer> {
  if (signal?.aborted) throw new GantryError("Cancelled", "the verification was cancelled");
  const outcome = await systemd.runTransient(unit, signal === undefined ? {} : { signal });
  if (outcome.result !== "success") throw ended(unit.name, outcome);
  return await readBounded(answer, ANSWER_LIMIT);
}

function ended(name: string, { result, status, signalled }: ServiceOutcome): GantryError {
  const how = result === "exit-code" && !signalled ? `status ${status}` : result;
  return new GantryError("Internal", `the verifier (${quoted(name)}) ended with ${how} and no verdict`, {
    hint: `journalctl -u ${name} tells more`,
  });
}
