/** The fetcher's rehearsal: it fetches an image of one layer from a registry on loopback that is up for no longer. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Command, RegistryRequest } from "../src/inbox/protocol.ts";
import { makeCodeCache } from "./code-cache.ts";

const FLAGS = ["--no-expose-wasm", "--jitless", "--v8-pool-size=1", "--max-semi-space-size=1"];

type Blob = { readonly digest: string; readonly bytes: Buffer };

const LAYER = blobOf(Buffer.alloc(64 * 1024));
const CONFIG = blobOf(
  JSON.stringify({
    ...{ architecture: "none", os: "linux", config: {} },
    rootfs: { type: "layers", diff_ids: [LAYER.digest] },
  }),
);
const MANIFEST = blobOf(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: descriptorOf(CONFIG, "application/vnd.oci.image.config.v1+json"),
    layers: [descriptorOf(LAYER, "application/vnd.oci.image.layer.v1.tar")],
  }),
);

/** Makes its code cache in the directory of the bundles. Rejects when the fetch fails. */
export async function rehearseFetcher(directory: string): Promise<void> {
  const inbox = join(directory, "inbox");
  for (const name of ["layers", "blobs/sha256"]) await mkdir(join(inbox, name), { recursive: true });
  execFileSync("mkfifo", [join(inbox, "layers/0")]);
  const reader = createReadStream(join(inbox, "layers/0")).resume();
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const input = conversation(inbox, port).map((line) => `${JSON.stringify(line)}\n`);
  const said = await makeCodeCache(directory, {
    ...{ name: "fetcher", flags: FLAGS, store: "", runs: [[]], input: input.join("") },
  });
  if (!said.includes('"done"')) throw new Error(`the fetcher's rehearsal: ${said}`);
  reader.destroy();
  server.close();
  await rm(inbox, { recursive: true });
}

function conversation(directory: string, port: number): (RegistryRequest | Command)[] {
  const url = `http://127.0.0.1:${port}`;
  return [
    {
      ...{ version: 1, kind: "registry", directory, reference: "registry.invalid/nothing:1" },
      platform: { os: "linux", architecture: "none", variants: [] },
      sources: [{ url, capabilities: ["pull", "resolve"], plainHttp: true }],
      signatures: { lookaside: [], cosign: false, referrers: false },
    },
    { get: [{ digest: LAYER.digest, size: LAYER.bytes.length, into: "layers/0" }] },
    { end: true },
  ];
}

const answer: RequestListener = ({ url = "" }, response) => {
  const blob = [LAYER, CONFIG].find(({ digest }) => url.endsWith(digest));
  const [type, { digest, bytes }] =
    blob === undefined
      ? (["application/vnd.oci.image.manifest.v1+json", MANIFEST] as const)
      : (["application/octet-stream", blob] as const);
  const headers = { "content-type": type, "content-length": bytes.length, "docker-content-digest": digest };
  response.writeHead(200, headers).end(bytes);
};

function blobOf(content: string | Buffer): Blob {
  const bytes = Buffer.from(content);
  return { digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`, bytes };
}

function descriptorOf({ digest, bytes }: Blob, mediaType: string) {
  return { mediaType, digest, size: bytes.length };
}
