/** App container images from a server to a running pod: discovery, dependencies, whitelists, pull policies, signatures. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";
import { type AciHost, ARCH, withAciHost } from "../fixtures/aci-host.ts";
import { discoveryPage } from "../fixtures/aci-site.ts";
import { connectClient } from "../fixtures/agent.ts";
import { newKeyring } from "../fixtures/gpg.ts";
import type { AciOptions } from "../fixtures/images.ts";
import type { TarEntry } from "../fixtures/tar.ts";
import { busyboxEntries } from "../fixtures/trees.ts";

const INSECURE = "--insecure-options=image,tls";

async function succeed({ host }: AciHost, ...words: string[]): Promise<string> {
  const { status, stdout, stderr } = await host.exec(words);
  assert.equal(status, 0, `${words.join(" ")}\n${stdout}${stderr}`);
  return stdout.trim();
}

async function refuse({ host }: AciHost, words: readonly string[], status: number, ...texts: string[]) {
  const result = await host.exec(words);
  assert.deepEqual([result.status, result.stdout], [status, ""], result.stderr);
  for (const text of texts) assert.ok(result.stderr.includes(text), `${result.stderr}\nlacks ${text}`);
}

/** What a fetch may leave behind: nothing when it gives "". */
async function remains(acis: AciHost): Promise<string> {
  return await succeed(
    acis,
    "sh",
    "-c",
    `find /var/lib/gantry/inbox -mindepth 1; find /var/lib/gantry -maxdepth 2 -name '.*'
     systemctl list-units --all --no-legend --plain 'gantry-fetch-*' 'gantry-unpack-*'; systemctl --failed --no-legend --plain`,
  );
}

const file = (path: string, body: string): TarEntry => ({ name: `rootfs/${path}`, mode: 0o755, body });
const needs = (...images: readonly string[]) => images.map((name) => ({ imageName: `example.com/${name}` }));
const command = (script: string) => ({ exec: ["/bin/sh", "-c", script], user: "0", group: "0" });

test("run of a name that nobody has fetched: discovered, its dependencies below it, as their whitelists say", async (t) => {
  await withAciHost(t, { name: "appc" }, async (acis) => {
    await acis.publish("busybox", busyboxEntries("rootfs/"));
    await acis.publish(
      "base",
      [
        file("data/one", "base"),
        file("data/two", "base"),
        file("etc/base", "base"),
        { name: "rootfs/link", type: "symlink", linkname: "data" },
      ],
      {
        manifest: { pathWhitelist: ["/data/one", "/data/two", "/link"] },
      },
    );
    await acis.publish("lib", [file("data/two", "lib"), file("data/three", "lib")], {
      manifest: { dependencies: needs("base"), pathWhitelist: ["/data/one", "/data/three", "/link"] },
    });
    const script =
      "find /data /link /etc/base 2>/dev/null | sort; cat /data/* /link/own; test -L /link || echo replaced";
    await acis.publish("app", [file("data/own", "app"), file("link/own", "app")], {
      manifest: { dependencies: needs("busybox", "lib"), app: command(script) },
    });
    const out = await succeed(acis, "gantry", "run", INSECURE, "--net=none", "example.com/app");
    assert.deepEqual(out.split("\n"), [
      "/data",
      "/data/one",
      "/data/own",
      "/data/three",
      "/link",
      "/link/own",
      "baseapplibappreplaced",
    ]);
    const images = JSON.parse(await succeed(acis, "gantry", "image", "list", "--format=json"));
    assert.deepEqual(
      images.map(({ names }: { names: string[] }) => names.join().replace(/:.*/, "")).sort(),
      ["app", "base", "busybox", "lib"].map((name) => `example.com/${name}`),
    );
    const asked = acis.asked();
    assert.deepEqual(
      asked.slice(0, 3).map((line) => line.split(" ")[1]),
      [
        "example.com/app?ac-discovery=1",
        "example.com/?ac-discovery=1",
        `dl.example.com/example.com/app-latest-${ARCH}.aci`,
      ],
    );
    assert.equal(await succeed(acis, "gantry", "run", INSECURE, "--net=none", "example.com/app"), out);
    assert.deepEqual(acis.asked(), []);
    assert.equal(await remains(acis), "");
    await refuse(
      acis,
      ["gantry", "image", "rm", "example.com/lib"],
      1,
      "is needed by image",
      "example.com/app",
    );
  });
});

test("pull policies, with ETag and Cache-Control, from the command line", async (t) => {
  await withAciHost(t, { name: "appc-policy" }, async (acis) => {
    const publish = (body: string, cacheControl = "no-cache") =>
      acis.publish("app", [...busyboxEntries("rootfs/"), file("version", body)], {
        manifest: { app: command("cat /version") },
        resource: { headers: { "cache-control": cacheControl } },
      });
    const run = (policy: string) =>
      succeed(acis, "gantry", "run", INSECURE, "--net=none", `--pull-policy=${policy}`, "example.com/app");
    const images = () => acis.asked().filter((line) => line.includes(".aci "));
    await refuse(
      acis,
      ["gantry", "fetch", INSECURE, "--pull-policy=never", "example.com/app"],
      4,
      '"example.com/app"',
    );
    assert.deepEqual(acis.asked(), []);
    await publish("1");
    assert.equal(await run("new"), "1");
    await publish("2");
    assert.equal(await run("new"), "1");
    assert.equal(await run("never"), "1");
    assert.equal(images().length, 1);
    assert.equal(await run("update"), "2");
    assert.equal(await run("update"), "2");
    const [first, second] = images();
    assert.match(first ?? "", / "[0-9a-f]+"$/);
    assert.notEqual(first, second);
    await publish("3", "max-age=3600");
    assert.equal(await run("update"), "3");
    images();
    await publish("4");
    assert.equal(await run("update"), "3");
    assert.deepEqual(images(), []);
    assert.equal(await remains(acis), "");
  });
});

test("hostile pages and images end in a sentence that names them, and nothing is stored", async (t) => {
  await withAciHost(t, { name: "appc-hostile" }, async (acis) => {
    const fetch = ["gantry", "fetch", INSECURE, "example.com/app"];
    const image = `/example.com/app-latest-${ARCH}.aci`;
    const tag = (url: string) => discoveryPage(["ac-discovery", "example.com", url]);
    const page = tag("https://dl.example.com/{name}-{version}-{arch}.{ext}");
    const rounds: readonly (readonly [what: () => void, status: number, text: string])[] = [
      [
        () => acis.serve("/", { status: 301, headers: { location: "https://example.com/?ac-discovery=1" } }),
        1,
        "redirects more than 10 times",
      ],
      [() => acis.serve("/", { body: "<meta>".repeat(400_000) }), 1, "the limit is 1048576 bytes"],
      [
        () => acis.serve("/", { body: `${tag("https://dl.example.com/{ext}").body}`.repeat(2000) }),
        1,
        "2000 ac-discovery tags",
      ],
      [() => acis.serve("/", tag("http://dl.example.com/{name}.{ext}")), 1, "no endpoints discovered"],
      [() => acis.serve("/", tag("file:///etc/{ext}")), 1, "no endpoints discovered"],
      [
        () =>
          acis.serve("/", discoveryPage(["ac-discovery", "example.com/ap", "https://dl.example.com/{ext}"])),
        1,
        "no endpoints discovered",
      ],
      [() => acis.serve("/", page), 4, "answers 404"],
      [() => acis.serve(image, { body: "no archive" }), 1, "no tar archive"],
      [
        () => acis.serve(image, { status: 302, headers: { location: "http://dl.example.com/x.aci" } }),
        1,
        "not encrypted",
      ],
      [() => acis.serve(image, { body: "x".repeat(1000), cut: 100, simple: true }), 1, "app-latest"],
    ];
    for (const [arrange, status, text] of rounds) {
      arrange();
      await refuse(acis, fetch, status, text);
      assert.equal(await remains(acis), "");
    }
    acis.serve(image, { body: "x".repeat(100_000), stall: 1000 });
    acis.asked();
    const stalled = await acis.host.spawn(fetch);
    while (!acis.asked().some((line) => line.includes(".aci "))) await delay(50);
    stalled.kill("SIGINT");
    const { status, stderr } = await stalled.ended;
    assert.equal(status, 1, stderr);
    assert.match(stderr, /cancelled/);
    assert.equal(await remains(acis), "");
    await acis.publish("app", [file("x", "x")], { name: "example.com/other" });
    await refuse(acis, fetch, 1, '"example.com/app" expected but "example.com/other" got found');
    await refuse(
      acis,
      ["gantry", "fetch", "--insecure-options=image", "example.com/app"],
      1,
      "example.com",
      "certificate",
    );
    assert.equal(
      await succeed(acis, "sh", "-c", "ls -A /var/lib/gantry/images /var/lib/gantry/layers"),
      "/var/lib/gantry/images:\n\n/var/lib/gantry/layers:",
    );
    assert.equal(await remains(acis), "");
  });
});

test("a local .aci finds what it needs in the store, and then on its server", async (t) => {
  await withAciHost(t, { name: "appc-local" }, async (acis) => {
    const base = await acis.publish("base", busyboxEntries("rootfs/"));
    const app = await acis.publish("app", [file("own", "own")], {
      manifest: { dependencies: needs("base"), app: command("cat /own") },
    });
    await acis.host.put("/srv/app.aci", readFileSync(app));
    await acis.host.put("/srv/base.aci", readFileSync(base));
    await succeed(acis, "gantry", "fetch", INSECURE, "/srv/base.aci");
    assert.equal(await succeed(acis, "gantry", "run", INSECURE, "--net=none", "/srv/app.aci"), "own");
    assert.deepEqual(acis.asked(), []);
    const id = await succeed(acis, "gantry", "fetch", INSECURE, "--pull-policy=update", "/srv/app.aci");
    assert.match(id, /^sha512-[0-9a-f]{128}$/);
    assert.ok(acis.asked().some((line) => line.includes("base-latest")));
    assert.equal(await remains(acis), "");
  });
});

test("signed images and their dependencies run by their own keys, over a private authority and with credentials", async (t) => {
  using ring = newKeyring();
  const alice = ring.generate("Alice <alice@example.com>");
  await withAciHost(t, { name: "appc-signed" }, async (acis) => {
    const authorization = `Basic ${Buffer.from("reader:secret").toString("base64")}`;
    const publish = async (name: string, entries: readonly TarEntry[], options: AciOptions = {}) => {
      const made = await acis.publish(name, entries, { ...options, resource: { authorization } });
      const path = `/example.com/${name}-latest-${ARCH}.aci.asc`;
      const signature = ring.sign(readFileSync(made), { keys: [alice] }).toString();
      acis.serve(path, { body: signature, authorization, deferred: 1 });
      return path;
    };
    await publish("base", busyboxEntries("rootfs/"));
    const app = { manifest: { dependencies: needs("base"), app: command("echo runs") } };
    const signature = await publish("app", [file("own", "own")], app);
    await publish("appendix", [file("own", "own")], app);
    await acis.host.put("/etc/gantry/example.pem", acis.ca);
    const registries = ["example.com", "dl.example.com"].map((prefix) => ({
      prefix,
      ca: "/etc/gantry/example.pem",
    }));
    await acis.host.put("/etc/gantry/registries.d/example.json", JSON.stringify({ version: 1, registries }));
    const auth = {
      rktKind: "auth",
      rktVersion: "v1",
      domains: ["dl.example.com"],
      type: "basic",
      credentials: { user: "reader", password: "secret" },
    };
    await acis.host.put("/etc/gantry/auth.d/example.json", JSON.stringify(auth), 0o600);
    await acis.host.put("/srv/alice.asc", ring.export(alice));

    const fetch = (name: string) => ["gantry", "fetch", `example.com/${name}`];
    await refuse(acis, fetch("app"), 5, '"example.com/app"');
    const trust = (prefix: string) =>
      succeed(
        acis,
        "gantry",
        "trust",
        "add",
        `--prefix=${prefix}`,
        `--fingerprint=${alice}`,
        "/srv/alice.asc",
      );
    await trust("example.com/app");
    await refuse(acis, fetch("app"), 5, '"example.com/base"');
    assert.equal(await succeed(acis, "ls", "-A", "/var/lib/gantry/images"), "");
    await trust("example.com/base");
    const id = await succeed(acis, ...fetch("app"));
    const inspect = async (image: string) =>
      JSON.parse(await succeed(acis, "gantry", "image", "inspect", image));
    const record = await inspect(id);
    assert.deepEqual(
      [record.verdict.kind, record.verdict.name, record.verdict.transport],
      ["signed", "example.com/app", "appc"],
    );
    assert.equal((await inspect("example.com/base")).verdict.name, "example.com/base");
    assert.equal(await succeed(acis, "gantry", "run", "--net=none", "example.com/app"), "runs");
    // An unchanged image keeps its verdict, and nothing is asked for it twice.
    acis.asked();
    assert.equal(await succeed(acis, ...fetch("app")), id);
    assert.ok(acis.asked().every((line) => !line.includes(".asc")));

    await refuse(acis, fetch("appendix"), 5, '"example.com/appendix"');
    await acis.publish("app", [file("own", "other")], { ...app, resource: { authorization } });
    await refuse(acis, fetch("app"), 5, '"example.com/app"');
    acis.serve(signature, { body: "x".repeat(50 << 20), authorization });
    await refuse(acis, fetch("app"), 1, ".aci.asc", "65536 bytes");
    acis.serve(signature, { status: 202, authorization, deferred: 100 });
    await refuse(acis, fetch("app"), 1, "server asked to defer the download again");
    assert.equal(await succeed(acis, "gantry", "run", "--net=none", "example.com/app"), "runs");
    // That the server says "unchanged" is no reason to trust: without its key the image is fetched anew, and refused.
    await succeed(acis, "gantry", "trust", "rm", "--prefix=example.com/base", alice);
    await refuse(acis, fetch("base"), 5, '"example.com/base"');
    await acis.host.exec(["rm", "/etc/gantry/auth.d/example.json"]);
    await refuse(acis, fetch("app"), 6, "answers 401");
    assert.equal(await remains(acis), "");
  });
});

test("what may be a secret in a URL is told to its server and to nobody else", async (t) => {
  await withAciHost(t, { name: "appc-secret" }, async (acis) => {
    const { host } = acis;
    await acis.publish("app", busyboxEntries("rootfs/"));
    const url = (name: string) => `https://dl.example.com/example.com/${name}-latest-${ARCH}.aci`;
    await using client = await connectClient(host);
    await using signals = await host.spawn(["busctl", "monitor", "--match=type='signal'"]);
    await signals.until(/Monitoring bus message stream/);
    await client.call("Subscribe", {});
    const fetch = async (name: string, insecure: readonly string[]) => {
      const source = `${url(name)}?signature=s3cr3t`;
      return await client.ended(
        await client.call("FetchImage", { source, options: { insecure: [...insecure] } }),
      );
    };
    const ended = [
      await fetch("app", ["tls"]),
      await fetch("none", ["image", "tls"]),
      await fetch("app", ["image", "tls"]),
    ];
    assert.deepEqual(
      ended.map(({ Error: [name] }) => name.split(".").at(-1)),
      ["NotTrusted", "NoSuchImage", ""],
    );
    assert.ok(acis.asked().some((line) => line.includes(`${new URL(url("app")).pathname}?signature=s3cr3t`)));
    await succeed(acis, "journalctl", "--sync");
    const told = [
      ...ended.map((operation) => inspect(operation, { maxStringLength: null })),
      JSON.stringify(await client.call("ListOperations", {}), (_, value) => String(value)),
      await client.call("DescribeImages", {}),
      await client.call("InspectImage", { image: "example.com/app" }),
      await succeed(acis, "gantry", "image", "inspect", "example.com/app"),
      await succeed(acis, "journalctl", "--all", "--output=verbose"),
    ];
    await signals.until(/STRING "done"/);
    for (const text of [...told, signals.stdout()]) assert.doesNotMatch(text, /s3cr3t/);
    for (const text of told.slice(3)) assert.ok(text.includes(url("app")), text.slice(0, 1000));
    await succeed(acis, "grep", "--recursive", "--quiet", "s3cr3t", "/var/lib/gantry/images");
    const user = ["gantry", "fetch", INSECURE, url("app").replace("//", "//me:s3cr3t@")];
    const refused = await host.exec(user);
    assert.doesNotMatch(refused.stderr, /s3cr3t/);
    await refuse(acis, user, 2, `"${url("app")}"`, "auth.d");
  });
});
