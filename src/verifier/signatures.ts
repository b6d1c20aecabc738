/** All signatures of one request against all its keys: who signed what. */
import type { PublicKey } from "openpgp";
import { parseDigest } from "../image/digest.ts";
import { digestOf } from "../image/hashing.ts";
import type { SignatureBytes, Signer, Verified, VerifyRequest } from "../trust/verifier.ts";
import { merge } from "./certificates.ts";
import { readCosign, vouches } from "./cosign.ts";
import { type BareKey, type KeyFile, readKeyFile } from "./keys.ts";
import {
  openMessage,
  type PacketResult,
  readDetached,
  recheck,
  type Signed,
  verifyInput,
} from "./openpgp.ts";
import { readPayload } from "./payload.ts";
import { sentence } from "./sentence.ts";

type Result = Verified["signatures"][number];
type Held = {
  readonly files: readonly (KeyFile | string)[];
  readonly certificates: readonly PublicKey[];
  readonly now: Date;
};
type Open = { readonly request: VerifyRequest; readonly held: Held };

const SIMPLE_SIGNING = "atomic container signature";

export async function checkSignatures(request: VerifyRequest): Promise<Verified> {
  const open = { request, held: await readKeys(request) };
  const detached = await checkDetached(open);
  const results = await Promise.all(
    request.signatures.map((signature, at) => detached.results[at] ?? checkOne(open, signature)),
  );
  return {
    version: 1,
    verb: "verify",
    ...(detached.archive === undefined ? {} : { archive: detached.archive }),
    keys: open.held.files.map((file) => (typeof file === "string" ? file : fingerprintsOf(file))),
    signatures: results,
  };
}

async function readKeys({ keys, time }: VerifyRequest): Promise<Held> {
  const read = keys.map(({ content }) => readKeyFile(Buffer.from(content, "base64")).catch(sentence));
  const files = await Promise.all(read);
  const all = files.flatMap((file) => (typeof file === "string" ? [] : file.certificates));
  return { files, certificates: await merge(all), now: new Date(time / 1000) };
}

function fingerprintsOf({ certificates, bare }: KeyFile): string[] {
  return [...certificates.map((one) => one.getFingerprint()), ...bare.map(({ fingerprint }) => fingerprint)];
}

/** Detached signatures together, since their bytes are read once. By their place in the request. */
async function checkDetached({
  request,
  held,
}: Open): Promise<{ archive?: string; results: (Result | undefined)[] }> {
  const { archive } = request.subject;
  const read = await Promise.all(
    request.signatures.map(({ kind, content }) =>
      kind === "openpgp" ? readDetached(Buffer.from(content, "base64")).catch(sentence) : [],
    ),
  );
  const packets = read.flatMap((one) => (typeof one === "string" ? [] : one));
  const done =
    archive === "input" && packets.length > 0
      ? await verifyInput(packets, held)
      : {
          results:
            archive === "trusted"
              ? await recheck(packets, held)
              : packets.map(() => "there are no bytes it could be over"),
        };
  const rest = [...done.results];
  const results = read.map((one, at) => {
    if (request.signatures[at]?.kind !== "openpgp") return undefined;
    return typeof one === "string"
      ? { signers: [], problems: [one] }
      : resultOf(held, rest.splice(0, one.length));
  });
  return { results, ...("sha256" in done ? { archive: `sha256:${done.sha256}` } : {}) };
}

async function checkOne({ request, held }: Open, signature: SignatureBytes): Promise<Result> {
  const documents = documentsOf(request);
  const digests = documents.map(({ digest }) => digest);
  const content = Buffer.from(signature.content, "base64");
  try {
    switch (signature.kind) {
      case "openpgp":
        return { signers: [], problems: ["there are no bytes it could be over"] };
      case "simple-signing":
        return await checkSimpleSigning(held, content, digests);
      case "cosign":
        return checkBare(
          held,
          (key) => vouches(key, content, Buffer.from(signature.signature, "base64")),
          () => readCosign(content, digests),
        );
      case "sigstore-bundle":
        return await checkBundle(held, content, documents);
    }
  } catch (error) {
    return { signers: [], problems: [sentence(error)] };
  }
}

/** What a signature of the image may be over. */
type SignedDocument = { readonly digest: string; readonly bytes: Buffer };

function documentsOf({ subject: { digest, manifest = "", indexes = [] } }: VerifyRequest): SignedDocument[] {
  return [{ digest, content: manifest }, ...indexes].map((one) => ({
    digest: one.digest,
    bytes: Buffer.from(one.content, "base64"),
  }));
}

async function checkSimpleSigning(held: Held, content: Buffer, digests: readonly string[]): Promise<Result> {
  const { payload, results } = await openMessage(content, held);
  const result = resultOf(held, results);
  // Nobody trusted has signed it, so nothing of it is believed, or read.
  if (result.signers.length === 0) return result;
  const { digest, identity } = readPayload(payload, { type: SIMPLE_SIGNING, digests });
  return { ...result, signers: result.signers.map((signer) => ({ ...signer, digest, identity })) };
}

async function checkBundle(
  held: Held,
  content: Buffer,
  documents: readonly SignedDocument[],
): Promise<Result> {
  // Most images have none, and the libraries take a tenth of a verifier's time to load.
  const { attestedOf, readBundle, signs } = await import("./bundle.ts");
  const bundle = readBundle(content);
  if (bundle.content.$case !== "messageSignature") {
    const digests = documents.map(({ digest }) => digest);
    return checkBare(
      held,
      (key) => signs(bundle, key, Buffer.alloc(0)),
      () => attestedOf(bundle, digests) ?? {},
    );
  }
  const results = documents.filter(isWhole).map(({ digest, bytes }) =>
    checkBare(
      held,
      (key) => signs(bundle, key, bytes),
      () => ({ digest }),
    ),
  );
  const result = results.find(({ signers }) => signers.length > 0) ?? results[0];
  if (result === undefined) throw new Error("it signs the manifest, which is not at hand");
  return result;
}

function isWhole({ digest, bytes }: SignedDocument): boolean {
  return digestOf(bytes, parseDigest(digest).algorithm) === digest;
}

type Facts = Pick<Signer, "digest" | "identity" | "annotations" | "predicateType">;

/** `factsOf` is asked only when a key has vouched for what it reads. */
function checkBare(held: Held, vouch: (key: BareKey) => boolean | string, factsOf: () => Facts): Result {
  const signers: Signer[] = [];
  const problems: string[] = [];
  for (const [at, file] of held.files.entries()) {
    for (const key of typeof file === "string" ? [] : file.bare) {
      const vouched = vouch(key);
      if (typeof vouched === "string") problems.push(vouched);
      else if (vouched) signers.push({ key: at, fingerprint: key.fingerprint, userIds: [], ...factsOf() });
    }
  }
  if (signers.length + problems.length === 0) problems.push("none of the keys trusted for this name made it");
  return { signers, problems: problems.slice(0, 64) };
}

function resultOf(held: Held, results: readonly PacketResult[]): Result {
  const good = results.filter((result): result is Signed => typeof result !== "string");
  const problems = results.filter((result) => typeof result === "string");
  return { signers: good.flatMap((signed) => signersOf(held, signed)), problems };
}

/** A key may lie in several files, and each of them may be what a rule names. */
function signersOf({ files }: Held, signed: Signed): Signer[] {
  return files.flatMap((file, key) =>
    typeof file !== "string" && fingerprintsOf(file).includes(signed.fingerprint) ? [{ key, ...signed }] : [],
  );
}
