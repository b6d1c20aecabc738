/** What each program does while its code cache is made: what it will do most often. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as openpgp from "openpgp";
import type { ImageRecord } from "../src/image/record.ts";
import { imagePath, layerPath, openStore } from "../src/store/store.ts";
import type { VerifierRequest } from "../src/trust/verifier.ts";
import { makeCodeCache } from "./code-cache.ts";
import { rehearseFetcher } from "./rehearsal-of-fetcher.ts";

const AGENT_FLAGS = [
  ...["--jitless", "--max-semi-space-size=1", "--compact-on-every-full-gc", "--expose-gc"],
  ...["--v8-pool-size=1", "--max-old-space-size=128"],
];

/** An image that is only a record and an empty layer: enough to decide and plan by. */
const NOTHING = "0".repeat(64);
const RECORD: ImageRecord = {
  version: 1,
  id: `sha256-${NOTHING}`,
  kind: "oci",
  names: [],
  digest: `sha256:${NOTHING}`,
  configDigest: `sha256:${NOTHING}`,
  platform: { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch },
  labels: {},
  annotations: {},
  layers: [
    {
      diffId: `sha256:${NOTHING}`,
      digest: `sha256:${NOTHING}`,
      size: 0,
      mediaType: "application/vnd.oci.image.layer.v1.tar",
      unpackedSize: 0,
      entries: 0,
    },
  ],
  app: {
    entrypoint: [],
    cmd: ["/bin/true"],
    environment: [],
    user: "",
    group: "",
    supplementaryGids: [],
    workingDirectory: "",
    stopSignal: "SIGTERM",
    mountPoints: [],
    ports: [],
    isolators: [],
    notifies: false,
  },
  imported: 0,
  source: "the build",
  verdict: { kind: "insecure", reason: "the build", time: 0, uid: 0 },
  verdicts: [],
};

/** Makes the code caches in the directory of the bundles. */
export async function rehearse(directory: string): Promise<void> {
  await rehearseCommands(directory);
  await makeCodeCache(directory, { name: "agent", flags: AGENT_FLAGS, store: "", runs: [[]] });
  await rehearseFetcher(directory);
  await rehearseVerifier(directory);
}

/** Without root, preparing is refused early, and the cache holds less: a matter of milliseconds. */
async function rehearseCommands(directory: string): Promise<void> {
  const store = await openStore(join(directory, "store"));
  await writeFile(imagePath(store, RECORD.id), JSON.stringify(RECORD));
  await mkdir(layerPath(store, RECORD.digest), { recursive: true });
  const at = `--dir=${store.directory}`;
  const prepare = ["prepare", at, "--insecure-options=image", RECORD.id];
  await makeCodeCache(directory, {
    ...{ name: "cli", flags: [], store: store.directory },
    runs: [prepare, ["list", at], ["status", at, "none"]],
  });
  await rm(store.directory, { recursive: true });
}

const VERIFIER_FLAGS = ["--no-expose-wasm", "--jitless", "--v8-pool-size=1"];

/** A key, and what it signed in both forms: what most verifiers will have to do. */
async function verifierRequest(): Promise<VerifierRequest> {
  const user = { name: "the build" };
  const { privateKey, publicKey } = await openpgp.generateKey({ userIDs: [user], format: "object" });
  const message = await openpgp.createMessage({ binary: Buffer.from("{}") });
  const signing = { message, signingKeys: privateKey, format: "binary" } as const;
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  return {
    version: 1,
    verb: "verify",
    time: Date.now() * 1000 + 1_000_000,
    subject: { digest: `sha256:${NOTHING}`, archive: "trusted" },
    keys: [{ path: "key", content: Buffer.from(publicKey.armor()).toString("base64") }],
    signatures: [
      { kind: "openpgp", content: base64(await openpgp.sign({ ...signing, detached: true })) },
      { kind: "simple-signing", content: base64(await openpgp.sign(signing)) },
    ],
  };
}

async function rehearseVerifier(directory: string): Promise<void> {
  const request = join(directory, "request");
  await writeFile(request, JSON.stringify(await verifierRequest()));
  await makeCodeCache(directory, { name: "verifier", flags: VERIFIER_FLAGS, store: "", runs: [[request]] });
  await rm(request);
}
