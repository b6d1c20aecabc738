/** The trust engine as the manager runs it: this host's configuration, and the verifier in a unit of its own. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { CONFIGURATION_DIRECTORIES } from "../config/trust.ts";
import type { ImageRecord, Verdict } from "../image/record.ts";
import { readStoredBlob } from "../store/blobs.ts";
import { rejudge, type Trust } from "../trust/judge.ts";
import { hostTrust } from "./judge.ts";
import type { Local } from "./local.ts";

/** Where administrators, and commands in their name, write. */
export const [ADMINISTRATORS] = CONFIGURATION_DIRECTORIES;

export function trustOf({ paths, bus }: Local): Trust {
  return hostTrust({ paths, systemd: bus });
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
  readonly record: Pick<ImageRecord, "id" | "kind" | "digest" | "names" | "source">;
  readonly verdict: Verdict;
  /** The command that takes it without a check, if that is not to run it by its name. */
  readonly unchecked?: string | undefined;
};

/**
 * Judges an image by the keys and rules of now. A word of the operator's, an `insecure` verdict, is not about those
 * and stays. Throws NotTrusted, BadConfig, SystemdFailed.
 */
export async function judgeAgain(local: Local, { record, verdict, unchecked }: Standing): Promise<Verdict> {
  if (verdict.kind === "insecure") return verdict;
  const source = record.names.length === 0 ? record.id : verdict.reference;
  const asked = { blob: storedBlob(local), insecureOptions: [], source, unchecked };
  try {
    return await rejudge(trustOf(local), { record: { ...record, verdict }, ...asked });
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
