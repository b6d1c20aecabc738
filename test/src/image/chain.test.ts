import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { checkChain, verifyChain, verifyChoice } from "../../../src/image/chain.ts";
import { openContestedDirectory, readDocument } from "../../../src/image/layout.ts";
import type { Descriptor } from "../../../src/image/oci.ts";
import { addBlob, addImage, blobPath, digestOf, MEDIA_TYPES, writeIndex } from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { tarOf } from "../../fixtures/tar.ts";

const root = mkdtempSync(join(tmpdir(), "gantry-chain-"));
after(() => rmSync(root, { recursive: true }));

function plain({ mediaType, digest, size }: Pick<Descriptor, "mediaType" | "digest" | "size">): Descriptor {
  return { mediaType, digest, size };
}

const layers = [await tarOf([{ name: "a", body: "a" }])];
const indexOf = (manifests: readonly Descriptor[]) =>
  plain(addBlob(root, MEDIA_TYPES.index, Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }))));
const manifest = plain(addImage(root, { layers }));
const other = plain(addImage(root, { layers, config: { Cmd: ["/b"] } }));
const inner = indexOf([other, manifest]);
const outer = indexOf([inner]);
writeIndex(root, []);
const files = openContestedDirectory(root, "r.example/app:1");

test("a chain of indexes that leads to the manifest is whole, pinned at its beginning or not", async () => {
  await verifyChain(files, { indexes: [], manifest }, undefined);
  await verifyChain(files, { indexes: [], manifest }, manifest.digest);
  await verifyChain(files, { indexes: [outer, inner], manifest }, outer.digest);
});

test("what was asked for by digest is that, and not what the fetcher would rather have", async () => {
  await assert.rejects(
    verifyChain(files, { indexes: [], manifest }, other.digest),
    refusal("DigestMismatch", 1, '"r.example/app:1"', other.digest, manifest.digest),
  );
  await assert.rejects(
    verifyChain(files, { indexes: [outer, inner], manifest }, manifest.digest),
    refusal("DigestMismatch", 1, manifest.digest),
  );
});

test("an index that does not list the next is refused, as is one with other bytes", async () => {
  await assert.rejects(
    verifyChain(files, { indexes: [outer], manifest }, undefined),
    refusal("BadImage", 1, outer.digest, manifest.digest),
  );
  const forged = { ...inner, digest: outer.digest };
  await assert.rejects(
    verifyChain(files, { indexes: [forged], manifest }, undefined),
    refusal("DigestMismatch", 1, outer.digest),
  );
});

test("the platform chooses within an index, whoever fetched would rather choose", async () => {
  const on = (image: Descriptor, architecture: string): Descriptor => ({
    ...image,
    platform: { os: "linux", architecture },
  });
  const host = { os: "linux", architecture: "amd64", variants: ["v1"] };
  const index = indexOf([on(other, "arm64"), on(manifest, "amd64")]);
  const outermost = indexOf([on(index, "amd64")]);
  for (const indexes of [[], [index], [outermost, index]]) {
    await verifyChoice(files, { indexes, manifest }, host);
  }
  for (const indexes of [[index], [outermost, index]]) {
    await verifyChain(files, { indexes, manifest: other }, undefined);
    await assert.rejects(
      verifyChoice(files, { indexes, manifest: other }, host),
      refusal("BadImage", 1, indexes[0]?.digest ?? "", manifest.digest, other.digest),
    );
  }
});

test("documents in memory are a chain when each lists the next, by whichever algorithm", () => {
  const bytes = Buffer.from('{"a":"manifest"}');
  const listing = (next: Buffer, algorithm: "sha256" | "sha512", size = next.length) =>
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        manifests: [{ mediaType: MEDIA_TYPES.manifest, digest: digestOf(next, algorithm), size }],
      }),
    );
  const chain = (...indexes: Buffer[]) => new Map(indexes.map((one) => [digestOf(one), one]));
  const last = listing(bytes, "sha512");
  checkChain(chain(), bytes);
  checkChain(chain(listing(last, "sha256"), last), bytes);
  const wrong = listing(bytes, "sha256", 1);
  for (const indexes of [chain(last, listing(last, "sha256")), chain(wrong)]) {
    const [first = ""] = indexes.keys();
    assert.throws(() => checkChain(indexes, bytes), refusal("BadImage", 1, `index ${first} does not list`));
  }
  const forged = new Map([[digestOf(bytes), last]]);
  assert.throws(() => checkChain(forged, bytes), refusal("DigestMismatch", 1, digestOf(last)));
});

test("no link is followed where somebody else writes", async () => {
  const secret = join(root, "secret");
  symlinkSync(blobPath(root, manifest.digest), secret);
  await assert.rejects(readDocument(files, "secret"), refusal("BadImage", 1, "secret"));
  unlinkSync(secret);
});
