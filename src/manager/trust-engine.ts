/** The trust engine as the manager runs it: this host's configuration, and the verifier in a unit of its own. */
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { CONFIGURATION_DIRECTORIES } from "../config/trust.ts";
import type { ImageRecord, Verdict } from "../image/record.ts";
import { readStoredBlob } from "../store/blobs.ts";
import { beginOperation } from "../store/operation.ts";
import { openStore } from "../store/store.ts";
import { rejudge, type Trust } from "../trust/judge.ts";
import type { Verifier } from "../trust/verifier.ts";
import { unitVerifier } from "../trust/verifier-unit.ts";
import type { Local } from "./local.ts";

/** Where administrators, and commands in their name, write. */
export const [ADMINISTRATORS] = CONFIGURATION_DIRECTORIES;

export function trustOf(local: Local): Trust {
  return { roots: CONFIGURATION_DIRECTORIES, verifier: localVerifier(local) };
}

/** Each run is an operation, which a crash leaves to the collector. */
function localVerifier(local: Local): Verifier {
  return async (run) => {
    await using operation = await beginOperation(await openStore(local.paths.data));
    const { id, directory } = operation;
    const program = join(local.paths.libexec, "gantry-verifier");
    return await unitVerifier(local.bus, { operation: id, program, directory })(run);
  };
}

/** The bytes of signatures that a verdict rests on. Throws StoreCorrupt. */
export function storedBlob(local: Local): (digest: string, limit: number) => Promise<Buffer> {
  return async (digest, limit) => {
    const bytes = await readStoredBlob({ directory: local.paths.data }, digest);
    if (bytes.length <= limit) return bytes;
    throw new GantryError(
      "StoreCorrupt",
      `blob ${quoted(digest)} has ${bytes.length} bytes, the limit is ${limit}`,
    );
  };
}

export type Standing = {
  readonly record: Pick<ImageRecord, "id" | "kind" | "digest" | "names">;
  readonly verdict: Verdict;
};

/**
 * Judges an image by the keys and rules of now. A word of the operator's, an `insecure` verdict, is not about those
 * and stays. Throws NotTrusted, BadConfig, SystemdFailed.
 */
export async function judgeAgain(local: Local, { record, verdict }: Standing): Promise<Verdict> {
  if (verdict.kind === "insecure") return verdict;
  const source = record.names[0] ?? record.id;
  const question = { record: { ...record, verdict }, blob: storedBlob(local), insecureOptions: [], source };
  try {
    return await rejudge(trustOf(local), question);
  } catch (error) {
    throw recalled(error, verdict);
  }
}

/** A refusal that also says by which keys the image was trusted before: whoever removed one sees the connection. */
function recalled(error: unknown, { reason }: Verdict): unknown {
  if (!(error instanceof GantryError) || error.kind !== "NotTrusted") return error;
  const { hint, message } = error;
  return new GantryError("NotTrusted", `${message}; before, it was ${reason}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}
