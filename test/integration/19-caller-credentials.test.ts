/** Credentials of a user who is not root: read as that user, used by the agent for one call, and kept and told nowhere. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type Client, connectClient } from "../fixtures/agent.ts";
import { type DockerRegistry, startDockerRegistry } from "../fixtures/docker-registry.ts";
import { busyboxImage } from "../fixtures/images.ts";
import { putPolkitRule } from "../fixtures/polkit.ts";
import type { Result, TestHost } from "../host/host.ts";
import { withHost } from "../host/with-host.ts";

const USER = { name: "ann", password: "hunter2-of-ann" };
const AUTH = Buffer.from(`${USER.name}:${USER.password}`).toString("base64");
const INSECURE = "--insecure-options=image";

type Setting = {
  readonly host: TestHost;
  readonly registry: DockerRegistry;
  readonly id: string;
  readonly source: string;
};

/** A registry that wants credentials, with one image, and a user who may do everything that the agent does. */
async function withRegistry(
  t: Parameters<typeof withHost>[0],
  name: string,
  body: (setting: Setting) => Promise<void>,
) {
  await withHost(t, { name }, async (host) => {
    await using registry = await startDockerRegistry(host, { tls: true, user: USER });
    const id = await registry.push("team/app:1", await busyboxImage({ Cmd: ["/bin/sleep", "1000"] }));
    const bundle = "/etc/ssl/certs/ca-certificates.crt";
    const certificate = readFileSync(registry.certificate, "utf8");
    await host.put(bundle, `${await output(host.exec(["cat", bundle]))}\n${certificate}`);
    const rule =
      'polkit.addRule(function (action, subject) { if (subject.user === "tester") return polkit.Result.YES; });';
    await putPolkitRule(host, "10-tester", rule);
    await body({ host, registry, id, source: `docker://${registry.name}/team/app:1` });
  });
}

async function output(result: Promise<Result>): Promise<string> {
  const { status, stdout, stderr } = await result;
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

function own(host: TestHost, path: string, content: string): Promise<string> {
  return output(
    host.user(
      ["sh", "-c", `mkdir -p "$(dirname ${path})" && umask 077 && cat >${path} && chmod +x ${path}`],
      { input: content },
    ),
  );
}

/** Everything of the host that could have kept or told what nobody shall. */
async function assertUntold({ host }: Setting): Promise<void> {
  const script = `journalctl -a -o export; systemctl show '*gantry*'; cat /run/systemd/transient/* 2>/dev/null
    busctl call org.gantry1 /org/gantry1 org.freedesktop.DBus.ObjectManager GetManagedObjects
    cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'
    grep -rl -e ${USER.password.slice(0, 10)} -e ${AUTH.slice(0, 12)} /var/lib/gantry /run/gantry /etc/gantry 2>/dev/null; true`;
  const told = await output(host.exec(["sh", "-c", script]));
  // The script itself is among the command lines.
  const lines = told.split("\n").filter((line) => !line.includes("grep -rl"));
  for (const secret of [USER.password, AUTH])
    assert.ok(!lines.some((line) => line.includes(secret)), "credentials are told");
}

test("a user's own credentials fetch, run and repair an image; nobody else is let in by them afterwards", async (t) => {
  await withRegistry(t, "own-credentials", async (setting) => {
    const { host, registry, id, source } = setting;
    const fetch = ["gantry", "fetch", INSECURE, source];
    const denied = await host.user(fetch);
    assert.deepEqual([denied.status, denied.stdout], [6, ""], denied.stderr);
    assert.match(denied.stderr, /registry\.test:5000/);

    await own(host, ".docker/config.json", JSON.stringify({ auths: { [registry.name]: { auth: AUTH } } }));
    assert.equal(await output(host.user(fetch)), id);
    await assertUntold(setting);
    await output(
      host.exec(["sh", "-c", "for file in /var/lib/gantry/layers/*/etc/passwd; do echo evil >>$file; done"]),
    );
    assert.match(await output(host.user(["gantry", "image", "verify", "--repair", id])), /repaired/);
    await output(host.exec(["gantry", "image", "rm", id]));
    const again = await host.exec(fetch);
    assert.equal(again.status, 6, "root has none of its own, and the agent has kept none");
    await output(host.user(["gantry", "run", "--detach", INSECURE, "--name=web", source]));
    assert.match(await output(host.exec(["gantry", "status", "web"])), /^state=running$/m);
    await assertUntold(setting);

    await output(host.exec(["gantry", "rm", "--force", "web"]));
    await output(host.exec(["gantry", "image", "rm", id]));
    const manifest = {
      acKind: "PodManifest",
      acVersion: "0.8.11",
      name: "shop",
      apps: [{ name: "a", image: { id: source } }],
    };
    await own(host, "shop.json", JSON.stringify(manifest));
    assert.equal(
      await output(host.user(["gantry", "install", INSECURE, "shop.json"])),
      "gantry@shop.service",
    );
    await assertUntold(setting);
  });
});

test("a user's credential helper is run as the user, and wrong credentials are told by the registry's name", async (t) => {
  await withRegistry(t, "helper", async (setting) => {
    const { host, registry, id, source } = setting;
    const answer = JSON.stringify({ ServerURL: registry.name, Username: USER.name, Secret: USER.password });
    await own(
      host,
      "bin/docker-credential-mine",
      `#!/bin/sh\nid -un >$HOME/asked\ncat >>$HOME/asked\necho '${answer}'\n`,
    );
    await own(
      host,
      ".config/containers/auth.json",
      JSON.stringify({ credHelpers: { [registry.name]: "mine" } }),
    );
    const path = { env: { PATH: "/home/tester/bin:/usr/local/bin:/usr/bin:/bin" } };
    assert.equal(await output(host.user(["gantry", "fetch", INSECURE, source], path)), id);
    assert.equal((await host.get("/home/tester/asked")).toString(), `tester\n${registry.name}`);
    await host.exec(["rm", "/home/tester/asked"]);
    await output(host.user(["gantry", "prepare", INSECURE, source], path));
    assert.equal(
      (await host.exec(["test", "-e", "/home/tester/asked"])).status,
      1,
      "nothing is fetched, so nobody is asked",
    );
    await assertUntold(setting);

    await own(
      host,
      ".config/containers/auth.json",
      JSON.stringify({ auths: { [registry.name]: { username: "ann", password: "wrong" } } }),
    );
    const wrong = await host.user(["gantry", "fetch", INSECURE, source]);
    assert.deepEqual([wrong.status, wrong.stdout], [6, ""], wrong.stderr);
    assert.match(wrong.stderr, /registry\.test:5000/);
    await own(host, ".config/containers/auth.json", "{");
    const broken = await host.user(["gantry", "fetch", INSECURE, source]);
    assert.equal(broken.status, 1);
    assert.match(broken.stderr, /"\/home\/tester\/\.config\/containers\/auth\.json" is not JSON/);
  });
});

test("on the bus they are an option, which is refused without being repeated", async (t) => {
  await withRegistry(t, "credentials-option", async (setting) => {
    const { host, registry, id, source } = setting;
    await using client: Client = await connectClient(host);
    const insecure = ["image"];
    const options = {
      insecure,
      credentials: { [registry.name]: { user: USER.name, password: USER.password } },
    };
    assert.equal(await client.done(await client.call("FetchImage", { source, options })), id);
    await assertUntold(setting);
    const elsewhere = { insecure, credentials: { "registry.test/team": { token: USER.password } } };
    const ended = await client.ended(await client.call("FetchImage", { source, options: elsewhere }));
    assert.equal(ended.Error[0], "org.gantry1.Error.AccessDenied", ended.Error[1]);
    assert.ok(!ended.Error[1].includes(USER.password));
    const words = [
      "FetchImage",
      "sa{sv}",
      source,
      "1",
      "credentials",
      "a{sa{ss}}",
      "1",
      registry.name,
      "1",
      "secret",
      USER.password,
    ];
    const refused = await host.exec([
      "busctl",
      "call",
      "org.gantry1",
      "/org/gantry1",
      "org.gantry1.Manager",
      ...words,
    ]);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /the credentials for "registry\.test:5000" are neither user and password/);
    assert.ok(!refused.stderr.includes(USER.password));
    await assertUntold(setting);
  });
});
