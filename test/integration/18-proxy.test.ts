/** Proxies, of the command's environment and of the agent's: who is asked through them, and who is not. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { type AciHost, ARCH, withAciHost } from "../fixtures/aci-host.ts";
import { connectClient } from "../fixtures/agent.ts";
import { startDockerRegistry } from "../fixtures/docker-registry.ts";
import { manyLayerImage } from "../fixtures/images.ts";
import { putPolkitRule } from "../fixtures/polkit.ts";
import { busyboxEntries } from "../fixtures/trees.ts";
import type { Result } from "../host/host.ts";

const PROXY = "http://me:p%40ss@inet.test:3128";
const SITE = "CONNECT example.com:443";
const FILES = "CONNECT dl.example.com:443";

type Proxied = AciHost & {
  /** Fetches with these variables. */
  fetch(environment: Readonly<Record<string, string>>, source?: string): Promise<Result>;
  /** Whom the proxy was asked for since the last call, each once. */
  proxied(): string[];
  /** Whether the host finds dl.example.com by itself. */
  find(found: boolean): Promise<void>;
};

/** A host that finds none of the servers by itself, but a proxy that does. */
async function withProxy(
  t: Parameters<typeof withAciHost>[0],
  name: string,
  body: (at: Proxied) => Promise<void>,
): Promise<void> {
  await withAciHost(t, { name }, async (acis) => {
    const { host } = acis;
    await acis.publish("app", busyboxEntries("rootfs/"));
    const tsx = join(import.meta.dirname, "../../node_modules/.bin/tsx");
    const targets = ["example.com:443", "dl.example.com:443", "dl.example.com:80", "registry.test:5000"];
    const words = [join(import.meta.dirname, "../fixtures/proxy-server.ts"), "3128", "me:p@ss", ...targets];
    const env = { PATH: process.env["PATH"] ?? "" };
    await using proxy = await host.spawn([tsx, ...words], { side: "internet", env });
    await proxy.until(/^up$/m);
    let seen = 1;
    const at: Proxied = {
      ...acis,
      fetch: (environment, source = "example.com/app") => {
        const variables = Object.entries(environment).map(([variable, value]) => `${variable}=${value}`);
        return host.exec([
          "env",
          ...variables,
          "gantry",
          "fetch",
          `--insecure-options=image,tls${source.startsWith("http:") ? ",http" : ""}`,
          source,
        ]);
      },
      proxied: () => {
        const lines = proxy.stdout().trimEnd().split("\n");
        const since = lines.slice(seen);
        seen = lines.length;
        return [...new Set(since)];
      },
      find: async (found) => {
        const line = found
          ? "echo 203.0.113.1 dl.example.com >>/etc/hosts"
          : "sed -i /example.com/d /etc/hosts";
        assert.equal((await host.exec(["sh", "-c", line])).status, 0);
      },
    };
    await host.exec(["mkdir", "-p", "/etc/gantry/registries.d"]);
    await host.put("/etc/gantry/registries.d/limits.json", '{ "version": 1, "limits": { "attempts": 1 } }');
    await at.find(false);
    await body(at);
  });
}

test("fetch asks through the proxies of its environment, except those of no_proxy", async (t) => {
  await withProxy(t, "proxy", async ({ asked, fetch, proxied, find }) => {
    const alone = await fetch({});
    assert.deepEqual([alone.status, alone.stdout], [1, ""]);
    assert.match(alone.stderr, /"https?:\/\/example\.com\/app"/);
    assert.deepEqual(proxied(), []);
    for (const variable of ["https_proxy", "HTTPS_PROXY"]) {
      const fetched = await fetch({ [variable]: PROXY });
      assert.equal(fetched.status, 0, fetched.stderr);
      assert.deepEqual(proxied(), [SITE, FILES]);
    }
    const plain = `http://dl.example.com/example.com/app-latest-${ARCH}.aci`;
    const whole = await fetch({ http_proxy: PROXY }, plain);
    assert.equal(whole.status, 0, whole.stderr);
    assert.deepEqual(proxied(), [`GET ${plain}`]);

    asked();
    await find(true);
    for (const except of [
      "dl.example.com",
      ".dl.example.com:443",
      "x.test,203.0.113.0/24,*.dl.example.com",
    ]) {
      const direct = await fetch({ https_proxy: PROXY, NO_PROXY: except });
      assert.equal(direct.status, 0, direct.stderr);
      assert.deepEqual(proxied(), [SITE], except);
      assert.ok(asked().some((line) => line.includes(`/app-latest-${ARCH}.aci`)));
    }
    const others = await fetch({
      https_proxy: PROXY,
      no_proxy: "l.example.com,dl.example.com:80,203.0.113.0/24",
    });
    assert.equal(others.status, 0, others.stderr);
    assert.deepEqual(proxied(), [SITE, FILES]);
  });
});

test("images of registries come through the proxy, layers and all, except from those of no_proxy", async (t) => {
  await withProxy(t, "proxy-registry", async ({ host, fetch, proxied }) => {
    await using registry = await startDockerRegistry(host, { tls: true });
    const source = `docker://${registry.name}/team/app:1`;
    for (const [environment, asked] of [
      [{ https_proxy: PROXY, no_proxy: "test:5001,egistry.test" }, ["CONNECT registry.test:5000"]],
      [{ https_proxy: PROXY, no_proxy: "test:5000" }, []],
      [{ http_proxy: PROXY }, []],
    ] as const) {
      const id = await registry.push("team/app:1", await manyLayerImage(2));
      const fetched = await fetch(environment, source);
      assert.deepEqual([fetched.status, fetched.stdout], [0, `${id}\n`], fetched.stderr);
      assert.deepEqual(proxied(), asked);
      assert.equal((await host.exec(["gantry", "image", "rm", id])).status, 0);
    }
  });
});

test("a proxy that refuses, and what is no proxy, is told without its password", async (t) => {
  await withProxy(t, "proxy-refusal", async ({ fetch, proxied }) => {
    const refused = await fetch({ https_proxy: PROXY.replace("p%40ss", "wr0ng") });
    assert.deepEqual([refused.status, refused.stdout], [1, ""]);
    assert.match(refused.stderr, /"https:\/\/example\.com\/app": the proxy answers 407/);
    assert.match(refused.stderr, /^hint: the proxy wants a user and a password in its URL$/m);
    const unknown = await fetch({ https_proxy: PROXY, http_proxy: PROXY }, "https://other.example/x.aci");
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /"https:\/\/other\.example\/x\.aci": the proxy answers 502/);
    assert.deepEqual(proxied(), [SITE, "CONNECT other.example:443"]);
    const wrong = await fetch({ https_proxy: "ftp://me:wr0ng@inet.test" });
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /the variable "https_proxy" is no URL of an http or https proxy/);
    for (const { stderr } of [refused, wrong]) assert.doesNotMatch(stderr, /wr0ng/);
  });
});

test("the agent asks through the proxies that its unit is configured with, whatever its caller's are", async (t) => {
  await withProxy(t, "proxy-agent", async ({ host, proxied }) => {
    await host.exec(["mkdir", "-p", "/etc/systemd/system/gantry-agent.service.d"]);
    await host.put(
      "/etc/systemd/system/gantry-agent.service.d/proxy.conf",
      `[Service]\nEnvironment=https_proxy=${PROXY.replaceAll("%", "%%")}\n`,
    );
    assert.equal((await host.exec(["systemctl", "daemon-reload"])).status, 0);
    const rule =
      'polkit.addRule(function (action, subject) { if (subject.user === "tester") return polkit.Result.YES; });';
    await putPolkitRule(host, "10-tester", rule);
    const words = ["gantry", "fetch", "--insecure-options=image,tls", "example.com/app"];
    const fetched = await host.user(["env", "https_proxy=http://203.0.113.9:1", ...words]);
    assert.equal(fetched.status, 0, fetched.stderr);
    assert.deepEqual(proxied(), [SITE, FILES]);
    await using client = await connectClient(host);
    const options = { insecure: ["image", "tls"] };
    await client.done(await client.call("FetchImage", { source: "example.com/app", options }));
    assert.deepEqual(proxied(), [SITE, FILES]);
  });
});
