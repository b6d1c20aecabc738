/** Rules that the command line writes: consents on first use, pinned digests, keys that only a rule names. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { writeAci, writeOciArchive } from "../fixtures/images.ts";
import { ACI, KEY, NAME, type SignedHost, withSigned } from "../fixtures/signed.ts";
import { tarOf } from "../fixtures/tar.ts";
import { busyboxEntries } from "../fixtures/trees.ts";

const OTHER = "/srv/other.aci";
const PREFIX = `--prefix=${NAME}`;

/** Another image of the same name, without a signature; gives its id. */
async function putOther(signed: SignedHost): Promise<string> {
  const app = { exec: ["/bin/sleep", "2000"], user: "0", group: "0" };
  return await put(signed, OTHER, (file) =>
    writeAci(file, busyboxEntries("rootfs/"), { name: NAME, manifest: { app } }),
  );
}

/** Puts what `write` writes on the host; gives what it gives. */
async function put<T>(
  { host }: SignedHost,
  path: string,
  write: (file: string) => T | Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "gantry-other-"));
  try {
    const file = join(directory, basename(path));
    const written = await write(file);
    await host.put(path, readFileSync(file));
    return written;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** `gantry WORDS…` is refused by the trust policy in words of which each of `texts` is one. */
async function distrusted({ host }: SignedHost, words: readonly string[], ...texts: string[]): Promise<void> {
  const { status, stdout, stderr } = await host.exec(["gantry", ...words]);
  assert.deepEqual([status, stdout], [5, ""], `${words.join(" ")}: ${stderr}`);
  assert.match(stderr, /^gantry: .*image "example\.com\/web\S*" is not trusted: /m);
  for (const text of texts) assert.ok(stderr.includes(text), `${stderr}\nlacks ${text}`);
}

/** `gantry WORDS…` as it is, which must succeed. */
async function plain({ host }: SignedHost, ...words: string[]): Promise<string> {
  const { status, stdout, stderr } = await host.exec(["gantry", ...words]);
  assert.equal(status, 0, `${words.join(" ")}: ${stderr}`);
  return stdout.trim();
}

test("trust: with --first-use a consent to a digest counts beside the rule, for that digest and as long as the rule says so", async (t) => {
  await withSigned(t, { name: "trust-first-use" }, async (signed) => {
    const { output, alice } = signed;
    const other = await putOther(signed);
    await output("trust", "add", PREFIX, "--require=openpgp", "--first-use");
    await distrusted(signed, ["fetch", OTHER], "it carries no openpgp signature");
    const consent = await output("trust", "add", `--digest=${other.replace("-", ":")}`, NAME);
    assert.match(consent, /^wrote \/etc\/gantry\/trust\.d\/\S+\.consent-[0-9a-f]{16}\.json$/m);
    assert.equal(await plain(signed, "fetch", OTHER), other);
    await plain(signed, "run", "--detach", "--name=web", other);
    assert.match(
      await output("trust", "explain", other),
      /^verdict now: trusted \(pinned\): allowed by the consent of user 0, /m,
    );
    await distrusted(signed, ["fetch", ACI], "no key");
    await output("trust", "add", PREFIX, `--fingerprint=${alice}`, KEY);
    await plain(signed, "fetch", ACI);

    const without = await output("trust", "add", PREFIX, "--require=openpgp");
    assert.match(without, /^pod "web" runs on, and is refused at its next start: .*no openpgp signature/m);
    await output("stop", "web");
    await distrusted(signed, ["start", "web"], "it carries no openpgp signature");
    await distrusted(signed, ["run", "--detach", other], "it carries no openpgp signature");
    await output("trust", "add", PREFIX, "--require=openpgp", "--first-use");
    await plain(signed, "start", "web");
  });
});

test("trust: --pin lets run what has one of the digests, together with what else the rule requires", async (t) => {
  await withSigned(t, { name: "trust-pin" }, async (signed) => {
    const { output, refused, alice } = signed;
    const other = await putOther(signed);
    const nobody = `sha512:${"0".repeat(128)}`;
    await output("trust", "add", PREFIX, `--pin=${nobody}`, `--pin=${other.replace("-", ":")}`);
    assert.equal(await plain(signed, "fetch", OTHER), other);
    await plain(signed, "run", "--detach", "--name=web", other);
    assert.match(
      await output("trust", "explain", other),
      /^verdict now: trusted \(pinned\): pinned to digest /m,
    );
    await distrusted(signed, ["fetch", ACI], "digest");

    const moved = await output("trust", "add", PREFIX, `--pin=${nobody}`);
    assert.match(moved, /^pod "web" runs on, and is refused at its next start: /m);
    await output("stop", "web");
    await distrusted(signed, ["start", "web"], "digest");

    const web = await output("fetch", "--insecure-options=image", ACI);
    await output("trust", "add", PREFIX, `--pin=${web.replace("-", ":")}`, "--require=openpgp");
    await distrusted(signed, ["fetch", ACI], "no key");
    await output("trust", "add", PREFIX, `--fingerprint=${alice}`, KEY);
    await plain(signed, "fetch", ACI);
    await distrusted(signed, ["fetch", OTHER], "digest");
    for (const [words, text] of [
      [["--pin=latest"], 'the rule is wrong at "requirements.0.digests.0"'],
      [[`--pin=${nobody}`, "--reject"], "--reject excludes every other requirement"],
    ] as const)
      await refused(["trust", "add", PREFIX, ...words], { status: 2, texts: [text] });
  });
});

test("trust: a rule for one version decides for who asks for that version, and for nobody else", async (t) => {
  await withSigned(t, { name: "trust-version" }, async (signed) => {
    const { output } = signed;
    const other = await putOther(signed);
    const whole = `${NAME}:1.35.0`;
    await output("trust", "add", `--prefix=${whole}`, "--transport=file", "--accept-unsigned");
    assert.equal(await plain(signed, "fetch", OTHER), other);
    await plain(signed, "run", "--detach", "--name=web", whole);
    await distrusted(signed, ["run", "--detach", NAME], `no rule and no key is for "${NAME}"`);

    await output("trust", "add", PREFIX, "--transport=file", "--accept-unsigned");
    await output("trust", "add", `--prefix=${whole}`, "--transport=file", "--reject");
    await plain(signed, "run", "--detach", NAME);
    await distrusted(signed, ["run", "--detach", whole], "the rule rejects every image of its scope");
  });
});

test("trust: what an archive calls itself is not the registry's image of that name", async (t) => {
  await withSigned(t, { name: "trust-archive" }, async (signed) => {
    const { host, output } = signed;
    const layers = [await tarOf(busyboxEntries())];
    const image = { layers, config: { Cmd: ["/bin/true"] } };
    await put(signed, "/srv/saved.tar", (file) =>
      writeOciArchive(file, image, { ref: "docker.io/library/busybox:1" }),
    );
    await output("trust", "add", "--prefix=*", "--transport=file", "--accept-unsigned");
    await plain(signed, "fetch", "oci-archive:/srv/saved.tar");
    await plain(signed, "run", "busybox:1");
    const { status, stderr } = await host.exec([
      "gantry",
      "run",
      "--pull-policy=never",
      "docker://busybox:1",
    ]);
    assert.equal(status, 4, stderr);
    assert.match(stderr, /^gantry: there is no image "docker:\/\/busybox:1" in the store$/m);
  });
});

test("trust: a key added as --named counts for the rules that name it, and for nothing else", async (t) => {
  await withSigned(t, { name: "trust-named" }, async (signed) => {
    const { host, output, refused, ring, alice } = signed;
    const bob = ring.generate("Bob <bob@example.com>");
    await host.put("/srv/bob.asc", ring.export(bob));
    const added = await output("trust", "add", "--named=release", `--fingerprint=${alice}`, KEY);
    assert.match(
      added,
      /^Added key "release" for rules at "\/etc\/gantry\/trustedkeys\/named\.d\/release"$/m,
    );
    await distrusted(signed, ["fetch", ACI], `no rule and no key is for "${NAME}"`);

    await output("trust", "add", "--named=nightly", `--fingerprint=${bob}`, "/srv/bob.asc");
    await output("trust", "add", PREFIX, `--fingerprint=${alice}`, KEY);
    await output("trust", "add", PREFIX, "--require=openpgp", "--key=nightly");
    await distrusted(signed, ["fetch", ACI], "is not among those trusted for this name");
    await output("trust", "add", PREFIX, "--require=openpgp", "--key=nightly", "--key=release");
    await output("trust", "rm", PREFIX, alice);
    await plain(signed, "fetch", ACI);
    await plain(signed, "run", "--detach", "--name=web", NAME);
    assert.match(await output("trust", "list"), /^- +release +good until .* Alice <alice@example\.com> /m);

    await refused(["trust", "add", PREFIX, "--require=openpgp", "--key=nosuch"], {
      status: 1,
      texts: ['"nosuch"', "named.d"],
    });
    await refused(["trust", "add", "--named=release", PREFIX, KEY], {
      status: 2,
      texts: ["--named excludes --prefix and --root"],
    });
    await refused(["trust", "add", "--named=../release", `--fingerprint=${alice}`, "--format=json", KEY], {
      status: 2,
      texts: ['"../release" cannot be the name'],
    });
    await refused(["trust", "rm", "--named=nightly", alice], { status: 4, texts: [alice] });
    const removed = await output("trust", "rm", "--named=release", alice.slice(0, 16));
    assert.match(removed, /^removed \/etc\/gantry\/trustedkeys\/named\.d\/release$/m);
    assert.match(removed, /^pod "web" runs on, and is refused at its next start: /m);
    await output("stop", "web");
    const lacks = '.json" names key "release", which is not in trustedkeys/named.d';
    const start = await host.exec(["gantry", "start", "web"]);
    assert.notEqual(start.status, 0);
    assert.ok(start.stderr.includes(lacks), start.stderr);
    await refused(["fetch", ACI], { status: 1, texts: [lacks] });
    await output("trust", "add", "--named=release", `--fingerprint=${alice}`, KEY);
    await plain(signed, "start", "web");
  });
});
