/** An image in a bucket that takes signed requests only, by the credentials that rkt's files have for it. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type AciHost, ARCH, withAciHost } from "../fixtures/aci-host.ts";
import { newKeyring } from "../fixtures/gpg.ts";
import { busyboxEntries } from "../fixtures/trees.ts";

const SECRET = "a deep/secret+of the bucket";
const BUCKET = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: SECRET, region: "eu-west-1" };
const FILE = "/etc/gantry/auth.d/bucket.json";
const FETCH = ["gantry", "fetch", "--insecure-options=tls", "example.com/app"];
const IMAGE = `/example.com/app-latest-${ARCH}.aci`;

async function succeed({ host }: AciHost, ...words: string[]): Promise<string> {
  const { status, stdout, stderr } = await host.exec(words);
  assert.equal(status, 0, `${words.join(" ")}\n${stdout}${stderr}`);
  return stdout.trim();
}

async function refuse({ host }: AciHost, status: number, ...texts: string[]): Promise<void> {
  const result = await host.exec(FETCH);
  assert.deepEqual([result.status, result.stdout], [status, ""], result.stderr);
  for (const text of texts) assert.ok(result.stderr.includes(text), `${result.stderr}\nlacks ${text}`);
  assert.equal(await succeed({ host } as AciHost, "find", "/var/lib/gantry/inbox", "-mindepth", "1"), "");
}

async function configure({ host }: AciHost, change: object): Promise<void> {
  const given = { accessKeyID: "AKIDEXAMPLE", secretAccessKey: SECRET, awsRegion: "eu-west-1", ...change };
  const kind = { rktKind: "auth", rktVersion: "v1", type: "aws" };
  const content = { ...kind, domains: ["dl.example.com"], credentials: given };
  await host.put(FILE, JSON.stringify(content), 0o600);
}

async function publish(acis: AciHost): Promise<void> {
  using ring = newKeyring();
  const alice = ring.generate("Alice <alice@example.com>");
  const big = { name: "rootfs/big", body: randomBytes(3 << 20) };
  const made = await acis.publish("app", [...busyboxEntries("rootfs/"), big], {
    manifest: { app: { exec: ["/bin/echo", "runs"], user: "0", group: "0" } },
    resource: { signed: BUCKET, cut: 1 << 20 },
  });
  const body = ring.sign(readFileSync(made), { keys: [alice] }).toString();
  acis.serve(`${IMAGE}.asc`, { body, signed: BUCKET });
  await acis.host.put("/srv/alice.asc", ring.export(alice));
  const trust = ["--prefix=example.com/app", `--fingerprint=${alice}`, "/srv/alice.asc"];
  await succeed(acis, "gantry", "trust", "add", ...trust);
}

/** Command lines, environments and units of everything that runs, and what lies on the disk. */
const TRACES = `cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | grep -ac 'deep/secre[t]'
systemctl show 'gantry-fetch-*' | grep -c 'deep/secre[t]'
grep -rl 'deep/secre[t]' /var/lib/gantry /run/gantry /run/systemd | grep -c .
journalctl --no-pager --output=export | grep -c 'deep/secre[t]'
systemctl list-units --no-legend --plain 'gantry-fetch-*' | grep -c fetch`;

test("a bucket: signed requests fetch the image and its signature, resumed, and run it", async (t) => {
  await withAciHost(t, { name: "appc-bucket" }, async (acis) => {
    await publish(acis);
    await configure(acis, {});
    await succeed(acis, ...FETCH);
    const asked = acis.asked().filter((line) => line.includes(".aci "));
    assert.ok(asked.length > 3, "nothing was resumed");
    assert.equal(await succeed(acis, "gantry", "run", "--net=none", "example.com/app"), "runs");
  });
});

test("a bucket: who may not in is told which file to look into, and the secret is nowhere but there", async (t) => {
  await withAciHost(t, { name: "appc-bucket-no" }, async (acis) => {
    await publish(acis);
    const said = `"https://dl.example.com${IMAGE}" answers`;
    await refuse(acis, 6, `${said} 403`, 'credentials for "dl.example.com" go into a file of auth.d');
    await configure(acis, { secretAccessKey: "another deep/secret" });
    await refuse(acis, 6, `${said} 403 (SignatureDoesNotMatch)`, '"dl.example.com"', `"${FILE}"`);
    await configure(acis, { awsRegion: undefined });
    await refuse(acis, 6, `${said} 400`, `"${FILE}"`, 'the region (awsRegion) is "eu-west-1"');
    await configure(acis, { secretAccessKey: "" });
    await refuse(acis, 1, FILE, '"credentials.secretAccessKey"');
    await configure(acis, {});
    const signed = { ...BUCKET, ahead: 47 * 60_000 };
    acis.serve(IMAGE, { signed });
    await refuse(
      acis,
      6,
      "(RequestTimeTooSkewed)",
      "clock is 47 minutes behind",
      '"dl.example.com"',
      "timedatectl",
    );

    acis.serve(IMAGE, { body: "x".repeat(100_000), stall: 1000, signed: BUCKET });
    acis.asked();
    const stalled = await acis.host.spawn(FETCH);
    while (!acis.asked().some((line) => line.includes(".aci "))) await delay(50);
    const { stdout } = await acis.host.exec(["sh", "-c", TRACES]);
    stalled.kill("SIGINT");
    const { status, stderr } = await stalled.ended;
    assert.equal(status, 1, stderr);
    assert.deepEqual(stdout.trim().split("\n"), ["0", "0", "0", "0", "1"], "the secret was seen");
  });
});
