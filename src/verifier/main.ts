/**
 * gantry-verifier REQUEST: checks an image's signatures, and does nothing else. It has no network, no privilege and sees
 * nothing of the host (src/trust/verifier-unit.ts); what it reads may come from anybody. Standard input is an ACI where
 * the request says so; the answer goes to standard output. The contract is docs/trust.md.
 */
import { readFileSync, writeSync } from "node:fs";
import { type VerifierAnswer, VerifierRequest } from "../trust/verifier.ts";
import { describeFile } from "./keys.ts";
import { checkSignatures } from "./signatures.ts";

async function answerTo(request: VerifierRequest): Promise<VerifierAnswer> {
  if (request.verb === "verify") return await checkSignatures(request);
  const now = new Date(request.time / 1000);
  const keys = await Promise.all(
    request.keys.map(({ content }) => describeFile(Buffer.from(content, "base64"), now)),
  );
  return { version: 1, verb: "keys", keys };
}

/** The whole of it: a file takes everything at once, a pipe what it has room for. */
function writeAll(bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(1, bytes, written);
}

async function main([path = ""]: readonly string[]): Promise<void> {
  const request = VerifierRequest.parse(JSON.parse(readFileSync(path, "utf8")));
  writeAll(Buffer.from(JSON.stringify(await answerTo(request))));
  process.exit(0);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  // Where it was, for whoever reads the journal; an answer it is not.
  console.error(error);
  process.exit(1);
});
