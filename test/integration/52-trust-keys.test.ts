/** Keys from the network: brought by the fetcher when somebody asks, reviewed, and told where they came from. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type AciHost, ARCH, TEMPLATE, withAciHost } from "../fixtures/aci-host.ts";
import { discoveryPage } from "../fixtures/aci-site.ts";
import { newKeyring } from "../fixtures/gpg.ts";
import { busyboxEntries } from "../fixtures/trees.ts";

const PREFIX = "--prefix=example.com";

async function gantry({ host }: AciHost, ...words: string[]) {
  return await host.exec(["gantry", ...words]);
}

async function refuse(acis: AciHost, words: string[], { status, text }: { status: number; text: RegExp }) {
  const refused = await gantry(acis, ...words);
  assert.deepEqual([refused.status, refused.stdout], [status, ""], refused.stderr);
  assert.match(refused.stderr, text);
}

/** The host is told of the private authority, as an administrator would. */
async function knowAuthority({ host, ca }: AciHost): Promise<void> {
  await host.put("/etc/gantry/ca.pem", ca);
  const registries = ["example.com", "dl.example.com"].map((prefix) => ({
    prefix,
    ca: "/etc/gantry/ca.pem",
  }));
  await host.put("/etc/gantry/registries.d/example.json", JSON.stringify({ version: 1, registries }));
}

test("trust: a key that the name's own pages offer, and one at a URL, after review only", async (t) => {
  using ring = newKeyring();
  const alice = ring.generate("Alice <alice@example.com>");
  await withAciHost(t, { name: "trust-keys" }, async (acis) => {
    const { host } = acis;
    const file = await acis.publish("web", busyboxEntries("rootfs/"), {
      manifest: { app: { exec: ["/bin/true"], user: "0", group: "0" } },
    });
    const signature = ring.sign(readFileSync(file), { keys: [alice] }).toString();
    acis.serve(`/example.com/web-latest-${ARCH}.aci.asc`, { body: signature });
    acis.serve("/keys.asc", { body: ring.export(alice).toString() });
    const offered = ["gone", "keys"].map(
      (name) => ["ac-discovery-pubkeys", "example.com", `https://example.com/${name}.asc`] as const,
    );
    acis.serve("/", discoveryPage(["ac-discovery", "example.com", TEMPLATE], ...offered));

    await refuse(acis, ["trust", PREFIX], { status: 1, text: /certificate/ });
    await knowAuthority(acis);
    await refuse(acis, ["fetch", "example.com/web"], { status: 5, text: /no rule and no key is for/ });
    assert.equal(
      (await host.exec(["find", "/etc/gantry/trustedkeys", "-type", "f"])).stdout,
      "",
      "by itself",
    );

    const shown = await gantry(acis, "trust", PREFIX);
    assert.equal(shown.status, 2, shown.stderr);
    assert.match(shown.stdout, /^gpg key fingerprint is: /);
    assert.match(shown.stderr, /there is no terminal to ask at: "https:\/\/example\.com\/keys\.asc"/);
    const added = await gantry(acis, "trust", "add", PREFIX, `--fingerprint=${alice}`);
    assert.equal(added.status, 0, added.stderr);
    assert.match(added.stderr, /^gantry: keys are left out: .*"https:\/\/example\.com\/gone\.asc".*404/m);
    const log = ["journalctl", "-o", "json", "MESSAGE_ID=6f2f5c0de1b44a5f9d1a7c2b30c7e908"];
    await host.exec(["journalctl", "--sync"]);
    const entry = JSON.parse((await host.exec(log)).stdout);
    assert.deepEqual(
      [entry.GANTRY_KEY, entry.GANTRY_PREFIX, entry.GANTRY_SOURCE],
      [alice, "example.com", "https://example.com/keys.asc"],
    );
    const fetched = await gantry(acis, "fetch", "example.com/web");
    assert.equal(fetched.status, 0, fetched.stderr);
    const run = await gantry(acis, "run", "example.com/web");
    assert.equal(run.status, 0, run.stderr);

    assert.equal((await gantry(acis, "trust", "rm", alice)).status, 0);
    await refuse(acis, ["run", "example.com/web"], {
      status: 5,
      text: new RegExp(`before, it was signed by ${alice}`),
    });
    const url = "https://example.com/keys.asc";
    const again = await gantry(acis, "trust", "add", PREFIX, `--fingerprint=${alice}`, url);
    assert.equal(again.status, 0, again.stderr);
    assert.equal((await gantry(acis, "run", "example.com/web")).status, 0);
  });
});

test("trust: URLs that will not do, pages without keys, keys that are none or too large", async (t) => {
  await withAciHost(t, { name: "trust-urls" }, async (acis) => {
    await knowAuthority(acis);
    acis.serve("/noise.asc", { body: Buffer.alloc(1000, 7).toString("latin1") });
    acis.serve("/large.asc", { body: "k".repeat(5 * 1024 * 1024) });
    const skip = "--skip-fingerprint-review";
    const cases: readonly (readonly [words: string[], status: number, text: RegExp])[] = [
      [["http://example.com/keys.asc"], 2, /--insecure-allow-http required for http URLs/],
      [["ftp://example.com/keys.asc"], 2, /only local files and http or https URLs supported/],
      [["https://example.com/keys.asc"], 1, /no key of "example\.com" can be had: .*404/],
      [["https://example.com/noise.asc"], 1, /the key file/],
      [["https://example.com/large.asc"], 1, /1048576|1 MiB|too large|more than/],
      [["--root"], 2, /--root and --prefix usage mutually exclusive/],
    ];
    for (const [words, status, text] of cases)
      await refuse(acis, ["trust", PREFIX, skip, ...words], { status, text });
    acis.serve("/", { body: "<html></html>", headers: { "content-type": "text/html" } });
    await refuse(acis, ["trust", PREFIX, skip], { status: 1, text: /discovery failed for "example\.com"/ });
    await refuse(acis, ["trust", "--root", skip], { status: 2, text: /keys are looked for at --prefix/ });
    const found = await acis.host.exec([
      "find",
      "/etc/gantry/trustedkeys",
      "/var/lib/gantry/inbox",
      "-mindepth",
      "1",
    ]);
    assert.equal(found.stdout, "");
  });
});
