/** Images from Debian's docker-registry, the whole way: the fetcher in its unit, over http and TLS, and a pod of the result. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { startDockerRegistry } from "../fixtures/docker-registry.ts";
import { busyboxImage, manyLayerImage } from "../fixtures/images.ts";
import type { Result, TestHost } from "../host/host.ts";
import { withHost } from "../host/with-host.ts";

function gantry(host: TestHost, ...words: string[]): Promise<Result> {
  return host.exec(["gantry", ...words]);
}

async function output(result: Promise<Result>): Promise<string> {
  const { status, stdout, stderr } = await result;
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

async function assertRefused(result: Promise<Result>, status: number, ...texts: RegExp[]): Promise<void> {
  const { stderr, ...rest } = await result;
  assert.deepEqual(rest, { status, stdout: "" }, stderr);
  for (const text of texts) assert.match(stderr, text);
}

/** Nothing of a fetch, and nothing that has failed. */
async function assertNothingLeft(host: TestHost): Promise<void> {
  const script = `find /var/lib/gantry/inbox -mindepth 1; find /var/lib/gantry -maxdepth 2 -name '.*'
    systemctl list-units --all --no-legend --plain 'gantry-fetch-*' 'gantry-unpack-*'; systemctl --failed --no-legend`;
  assert.equal(await output(host.exec(["sh", "-c", script])), "");
}

test("an image of a registry without TLS is fetched when that is accepted, run, and asked for again when its tag moves", async (t) => {
  await withHost(t, { name: "registry" }, async (host) => {
    await using registry = await startDockerRegistry(host);
    const first = await registry.push("team/app:1", await manyLayerImage(3));
    const source = `docker://${registry.name}/team/app:1`;
    await assertRefused(gantry(host, "fetch", "--insecure-options=image", source), 1, /registry\.test:5000/);
    await assertNothingLeft(host);
    const insecure = "--insecure-options=image,http";
    const run = (...words: string[]) =>
      output(gantry(host, "run", insecure, ...words, "--", "ls", "/layers"));
    assert.equal(await run(source), "2\n3\ntop");
    const inspected = JSON.parse(
      await output(gantry(host, "image", "inspect", `${registry.name}/team/app:1`)),
    );
    assert.deepEqual(
      [inspected.id, inspected.names, inspected.source, inspected.host],
      [first, [`${registry.name}/team/app:1`], source, registry.name],
    );
    const second = await registry.push("team/app:1", await manyLayerImage(4));
    assert.equal(await run(source), "2\n3\ntop", "the policy new is content with the store's");
    assert.equal(await run("--pull-policy=update", source), "2\n4\ntop");
    const events = (await output(gantry(host, "fetch", insecure, "--format=json", `${source}`)))
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(events.at(-1).id, second);
    assert.ok(!events.some(({ event }) => event === "progress"), "nothing but documents is transferred");
    const pinned = `docker://${registry.name}/team/app@${first.replace("-", ":")}`;
    assert.equal(await output(gantry(host, "fetch", insecure, pinned)), first);
    await assertRefused(
      gantry(host, "fetch", insecure, `docker://${registry.name}/team/none`),
      4,
      /team\/none/,
    );
    await assertNothingLeft(host);
  });
});

test("over TLS the certificate must be this machine's to trust, and the credentials are the caller's", async (t) => {
  await withHost(t, { name: "tls" }, async (host) => {
    const user = { name: "ann", password: "hunter2" };
    await using registry = await startDockerRegistry(host, { tls: true, user });
    const id = await registry.push("app:1", await busyboxImage());
    const source = `docker://${registry.name}/app:1`;
    const fetch = (options: string) => gantry(host, "fetch", `--insecure-options=${options}`, source);
    await assertRefused(fetch("image"), 1, /certificate|self.signed/i);
    await assertRefused(fetch("image,tls"), 6, /registry\.test:5000/);
    const auth = Buffer.from(`${user.name}:${user.password}`).toString("base64");
    await host.exec(["mkdir", "-p", "/root/.docker"]);
    await host.put(
      "/root/.docker/config.json",
      JSON.stringify({ auths: { [registry.name]: { auth } } }),
      0o600,
    );
    assert.equal(await output(fetch("image,tls")), id);
    await output(gantry(host, "image", "rm", id));
    const bundle = "/etc/ssl/certs/ca-certificates.crt";
    const trusted = (await host.exec(["cat", bundle])).stdout;
    await host.put(bundle, `${trusted}\n${readFileSync(registry.certificate, "utf8")}`);
    assert.equal(await output(fetch("image")), id);
    const units =
      "journalctl -o cat; systemctl show 'gantry-*'; cat /run/systemd/transient/* 2>/dev/null; true";
    const told = await output(host.exec(["sh", "-c", units]));
    assert.ok(!told.includes(user.password) && !told.includes(auth), "credentials are told to nobody");
    await assertNothingLeft(host);
  });
});

test("an installed pod's image comes from its registry, and the agent fetches for those it may fetch for", async (t) => {
  await withHost(t, { name: "install" }, async (host) => {
    await using registry = await startDockerRegistry(host);
    const id = await registry.push("web:1", await busyboxImage({ Cmd: ["/bin/sleep", "1000"] }));
    const source = `docker://${registry.name}/web:1`;
    const manifest = {
      acVersion: "0.8.11",
      acKind: "PodManifest",
      name: "web",
      apps: [{ name: "web", image: { id: source } }],
    };
    await host.put("/root/web.json", JSON.stringify(manifest));
    assert.equal(
      await output(gantry(host, "install", "--insecure-options=image,http", "/root/web.json")),
      "gantry@web.service",
    );
    await output(host.exec(["systemctl", "start", "gantry@web"]));
    assert.equal((await output(gantry(host, "image", "list", "--no-legend", "--full"))).split(" ")[0], id);
    await output(host.exec(["systemctl", "stop", "gantry@web"]));
    const call = [
      "busctl",
      "--json=short",
      "call",
      "org.gantry1",
      "/org/gantry1",
      "org.gantry1.Manager",
      "FetchImage",
    ];
    const begun = await output(
      host.exec([...call, "sa{sv}", source, "1", "insecure", "as", "2", "image", "http"]),
    );
    const [path] = JSON.parse(begun).data;
    const phase = ["busctl", "get-property", "org.gantry1", path, "org.gantry1.Operation", "Phase"].join(" ");
    const waiting = `for n in $(seq 200); do [ "$(${phase})" = 's "done"' ] && exit 0; sleep 0.1; done; ${phase}; exit 1`;
    await output(host.exec(["sh", "-c", waiting]));
    await assertNothingLeft(host);
  });
});
