/** gantry-verifier as a child process: for tests, and for a store that no systemd serves. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { openRegular } from "../base/file.ts";
import { ANSWER_LIMIT, type Verifier, type VerifierRun } from "./verifier.ts";

/** Runs `command` with the request's path behind it, with the caller's own privileges. */
export function processVerifier(command: readonly [program: string, ...words: string[]]): Verifier {
  return async (run) => {
    const directory = await mkdtemp(join(tmpdir(), "gantry-verify-"));
    try {
      const request = join(directory, "request");
      await writeFile(request, JSON.stringify(run.request));
      return await runProcess([...command, request], run);
    } finally {
      await rm(directory, { recursive: true });
    }
  };
}

async function runProcess([program = "", ...words]: readonly string[], run: VerifierRun): Promise<Buffer> {
  await using archive = run.archive === undefined ? await open("/dev/null") : await openRegular(run.archive);
  const child = spawn(program, words, { env: {}, stdio: [archive.fd, "pipe", "inherit"] });
  const kill = () => child.kill("SIGKILL");
  run.signal?.addEventListener("abort", kill);
  if (run.signal?.aborted) kill();
  const chunks: Buffer[] = [];
  let size = 0;
  child.stdout?.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > ANSWER_LIMIT) kill();
    else chunks.push(chunk);
  });
  try {
    const [status] = await once(child, "close");
    if (run.signal?.aborted) throw new GantryError("Cancelled", "the verification was cancelled");
    if (status === 0) return Buffer.concat(chunks);
    throw new GantryError("Internal", `the verifier ended with status ${status} and no verdict`);
  } finally {
    run.signal?.removeEventListener("abort", kill);
  }
}
