/**
 * A signed ACI of 100 MB: all that gantry-verifier does from its start to its answer, beside hashing the same file. And an
 * image in the store: `image verify` of a Debian minbase, beside hashing the same files and looking at nothing else of them.
 */
import { randomBytes } from "node:crypto";
import { newKeyring } from "../fixtures/gpg.ts";
import { type Row, samplesOf } from "./row.ts";
import { must, ROUNDS, type Setting, timeCommands } from "./setting.ts";

const SIZE = 100_000_000;
const ACI = "/run/bench.aci";
const REQUEST = "/run/bench-request";

/** What a program of the same language has to do at the least. */
const HASH = `#!/bin/sh
exec node -e '
const hash = require("node:crypto").createHash("sha512");
process.stdin.on("data", (chunk) => hash.update(chunk)).on("end", () => console.log(hash.digest("hex")));
' <${ACI} >/dev/null
`;

/** The rows; each side starts through a shell. */
export async function measureVerification(setting: Setting): Promise<Row[]> {
  return [...(await measureSignedAci(setting)), ...(await measureStoredImage(setting))];
}

/**
 * sha256sum does without the processor's own instructions, which openssl and the auditor use; the auditor has a thread for each
 * processor as well.
 */
async function measureStoredImage(setting: Setting): Promise<Row[]> {
  const { host, images } = setting;
  const id = await must(host, `gantry fetch --insecure-options=image ${images.debian}`);
  const [layer] = JSON.parse(await must(host, `gantry image inspect ${id}`)).layers;
  const files = `find /var/lib/gantry/layers/${layer.diffId.replace(":", "-")} -type f -print0`;
  const peers = {
    "find | sha256sum": "sha256sum",
    "find | openssl sha256": "openssl sha256",
    "the same on all processors": "-P $(nproc) -n 500 openssl sha256",
  };
  const hashing = Object.entries(peers).map(([name, words]) => ({
    name,
    script: `${files} | xargs -0 ${words}`,
  }));
  const all = [{ name: "gantry", script: `exec gantry image verify ${id}` }, ...hashing];
  for (const [at, { script }] of all.entries())
    await host.put(`/run/bench-image-${at}`, `#!/bin/sh\n${script} >/dev/null\n`, 0o755);
  const samples = await timeCommands(
    setting,
    all.map((_, at) => ({ name: `${at}`, command: `/run/bench-image-${at}` })),
    ROUNDS / 2,
  );
  await must(host, `gantry image rm ${id}`);
  const gantry = samplesOf(samples, "0");
  return hashing.map(({ name }, at) => ({
    ...{ name: "image verify Debian minbase", unit: "ms", gantry },
    peer: { name, samples: samplesOf(samples, `${at + 1}`) },
  }));
}

async function measureSignedAci(setting: Setting): Promise<Row[]> {
  await putSignedAci(setting);
  await setting.host.put("/run/bench-hash", HASH, 0o755);
  const verify = `#!/bin/sh\nexec /usr/lib/gantry/gantry-verifier ${REQUEST} <${ACI} >/dev/null\n`;
  await setting.host.put("/run/bench-verify", verify, 0o755);
  const digest = `#!/bin/sh\nexec openssl dgst -sha512 ${ACI} >/dev/null\n`;
  await setting.host.put("/run/bench-openssl", digest, 0o755);
  const samples = await timeCommands(
    setting,
    ["verify", "hash", "openssl"].map((name) => ({ name, command: `/run/bench-${name}` })),
    ROUNDS,
  );
  await setting.host.exec(["rm", ACI]);
  const gantry = samplesOf(samples, "verify");
  const name = "verify a signed ACI of 100 MB";
  const node = { name: "Node hashing it", samples: samplesOf(samples, "hash") };
  const openssl = { name: "openssl hashing it", samples: samplesOf(samples, "openssl") };
  return [
    { name, unit: "ms", gantry, peer: node, target: { factor: 1.3 } },
    { name, unit: "ms", gantry, peer: openssl },
  ];
}

async function putSignedAci({ host }: Setting): Promise<void> {
  using ring = newKeyring();
  const key = ring.generate("Bench <bench@example.com>", { algorithm: "rsa4096" });
  const aci = randomBytes(SIZE);
  const signature = ring.sign(aci, { keys: [key], digest: "SHA512" });
  const request = {
    version: 1,
    verb: "verify",
    time: Date.now() * 1000,
    subject: { digest: `sha512:${"0".repeat(128)}`, archive: "input" },
    keys: [{ path: "key", content: ring.export(key).toString("base64") }],
    signatures: [{ kind: "openpgp", content: signature.toString("base64") }],
  };
  await host.put(ACI, aci);
  await host.put(REQUEST, JSON.stringify(request));
}
