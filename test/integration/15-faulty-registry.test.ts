/** A registry that does everything wrong, the whole way: one sentence, in bounds, and nothing stored. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connectClient } from "../fixtures/agent.ts";
import type { TestHost } from "../host/host.ts";
import { withHost } from "../host/with-host.ts";

const PORT = 5005;
const REGISTRY = `registry.test:${PORT}`;

type Asked = { readonly url: string; readonly host: string; readonly authorization?: string };

/** Runs `body` while the faulty registry runs; what it was asked. */
async function withFaults(host: TestHost, body: () => Promise<void>): Promise<Asked[]> {
  const words = [process.execPath, "--import", "tsx", "test/fixtures/faulty-registry.ts", String(PORT)];
  const server = await host.spawn(words, { side: "internet", cwd: process.cwd() });
  const look = `for n in $(seq 600); do if bash -c ': </dev/tcp/127.0.0.1/${PORT}' 2>/dev/null; then exit 0; fi; sleep 0.05; done; exit 1`;
  assert.equal((await host.net(["sh", "-c", look])).status, 0);
  try {
    await body();
  } finally {
    server.kill("SIGTERM");
  }
  return JSON.parse((await server.ended).stdout);
}

function fetchImage(host: TestHost, source: string, insecure = "image,http") {
  return host.exec(["gantry", "fetch", `--insecure-options=${insecure}`, source]);
}

/** Everything that the store holds, and what is left of fetches. */
async function stored(host: TestHost): Promise<string> {
  const script = `cd /var/lib/gantry && find blobs layers images inbox -mindepth 1 | sort
    systemctl list-units --all --no-legend --plain 'gantry-fetch-*' 'gantry-unpack-*'; systemctl --failed --no-legend`;
  return (await host.exec(["sh", "-c", script])).stdout;
}

const LAYER = "layer sha256:[0-9a-f]{64}";

/** The image, the exit status, what is said. */
const REFUSED: readonly (readonly [string, number, RegExp])[] = [
  ["cut", 1, /blobs\/sha256:[0-9a-f]{64}": the connection was cut/],
  ["another-part", 1, new RegExp(`${LAYER}: .* sends another part`)],
  ["wrong", 1, new RegExp(LAYER)],
  ["longer", 1, new RegExp(`${LAYER} from .* but more come`)],
  ["shorter", 1, new RegExp(`${LAYER} from .* should have \\d+ bytes, the server offers 100`)],
  ["gone", 4, new RegExp(`${LAYER}: .* answers 404`)],
  ["loop", 1, /redirects more than 10 times/],
  ["html", 1, /manifest sha256:[0-9a-f]{64} is not valid JSON/],
  ["deep", 1, /manifest sha256:[0-9a-f]{64} is not valid JSON/],
  ["proto", 1, /manifest sha256:[0-9a-f]{64} is malformed at "config"/],
  ["layers", 1, /manifest sha256:[0-9a-f]{64} is malformed at "layers"/],
  ["large", 1, /manifests\/1" has 4194305 bytes, the limit is 4194304/],
  ["endless", 1, /manifests\/1" has more, the limit is 4194304/],
  ["path", 1, /"sha256:\.\.\/\.\.\/\.\.\/x" is not a digest/],
];

const FETCHED = ["good", "resumed", "whole-again", "busy", "elsewhere"];

test("a registry that does everything wrong is told so in one sentence, and nothing is stored", async (t) => {
  await withHost(t, { name: "faulty" }, async (host) => {
    const asked = await withFaults(host, async () => {
      await fetchImage(host, `docker://${REGISTRY}/none/app:1`);
      const empty = await stored(host);
      for (const [name, status, text] of REFUSED) {
        const result = await fetchImage(host, `docker://${REGISTRY}/${name}/app:1`);
        assert.deepEqual([result.status, result.stdout], [status, ""], `${name}: ${result.stderr}`);
        assert.match(result.stderr, text, name);
        assert.equal(await stored(host), empty, name);
      }
      for (const name of FETCHED) {
        const result = await fetchImage(host, `docker://${REGISTRY}/${name}/app:1`);
        assert.equal(result.status, 0, `${name}: ${result.stderr}`);
        await host.exec(["gantry", "image", "rm", result.stdout.trim()]);
        await host.exec(["gantry", "image", "gc"]);
      }
    });
    assert.ok(
      asked.some(({ host }) => host === `inet.test:${PORT}`),
      "the redirect was followed",
    );
  });
});

test("a mirror serves what nobody else has, under the name that was asked for, and gets no credentials but its own", async (t) => {
  await withHost(t, { name: "mirror" }, async (host) => {
    const auth = (registry: string, user: string) =>
      JSON.stringify({
        ...{ rktKind: "dockerAuth", rktVersion: "v1", registries: [registry] },
        credentials: { user, password: "secret" },
      });
    const entry = {
      prefix: "nowhere.test",
      fallback: "never",
      mirrors: [{ url: `http://${REGISTRY}/mirror`, capabilities: ["pull", "resolve"] }],
    };
    await host.exec(["mkdir", "-p", "/etc/gantry/registries.d", "/etc/gantry/auth.d"]);
    await host.put(
      "/etc/gantry/registries.d/nowhere.json",
      JSON.stringify({ version: 1, registries: [entry] }),
    );
    await host.put("/etc/gantry/auth.d/nowhere.json", auth("nowhere.test", "origin"), 0o600);
    const name = "nowhere.test/good/app:1";
    const asked = await withFaults(host, async () => {
      const fetched = await fetchImage(host, `docker://${name}`, "image");
      assert.equal(fetched.status, 0, fetched.stderr);
      const inspected = JSON.parse((await host.exec(["gantry", "image", "inspect", name])).stdout);
      assert.deepEqual([inspected.names, inspected.host], [[name], REGISTRY]);
      const other = await fetchImage(host, "docker://nowhere.test/none/app:1", "image");
      assert.equal(other.status, 4, other.stderr);
      assert.match(other.stderr, /nowhere\.test\/none\/app:1/);
      await host.put(
        "/etc/gantry/registries.d/nowhere.json",
        '{"version":1,"registries":[{"prefix":"nowhere.test","mirror":1}]}',
      );
      const wrong = await fetchImage(host, `docker://${name}`, "image");
      assert.equal(wrong.status, 1);
      assert.match(wrong.stderr, /"\/etc\/gantry\/registries\.d\/nowhere\.json" is wrong at "registries\.0"/);
    });
    assert.ok(asked.length > 3);
    assert.deepEqual(
      asked.filter(({ authorization }) => authorization !== undefined),
      [],
    );
  });
});

const SLOW: readonly (readonly [name: string, limits: object, text: RegExp])[] = [
  [
    "stall",
    { idle: 3, attempts: 1 },
    /"http:\/\/registry\.test:5005\/v2\/stall\/app\/blobs\/sha256:[0-9a-f]{64}" is too slow: no byte within 3 s/,
  ],
  [
    "mute",
    { idle: 3, attempts: 2 },
    /"http:\/\/registry\.test:5005\/v2\/mute\/app\/blobs\/sha256:[0-9a-f]{64}": no answer within 3 s/,
  ],
  [
    "drip",
    { rate: 100_000, slow: 1, attempts: 2 },
    /"http:\/\/registry\.test:5005\/v2\/drip\/app\/blobs\/sha256:[0-9a-f]{64}" is too slow: \d+ bytes in [1-9]\d*\.\d s/,
  ],
  [
    "slow-manifest",
    { document: 2 },
    /"http:\/\/registry\.test:5005\/v2\/slow-manifest\/app\/manifests\/1".* within 2 s/,
  ],
];

test("a registry that stalls, drips or is silent is given up after the configured time, by its URL, and nothing is stored", async (t) => {
  await withHost(t, { name: "slow" }, async (host) => {
    await host.exec(["mkdir", "-p", "/etc/gantry/registries.d"]);
    const configure = (file: object) =>
      host.put("/etc/gantry/registries.d/limits.json", JSON.stringify({ version: 1, ...file }));
    await withFaults(host, async () => {
      await fetchImage(host, `docker://${REGISTRY}/none/app:1`);
      const empty = await stored(host);
      for (const [name, limits, text] of SLOW) {
        // Of one registry, in spite of those of the machine; and of the machine.
        for (const file of [
          { registries: [{ prefix: REGISTRY, limits }], limits: { connect: 10, idle: 50 } },
          { limits },
        ]) {
          await configure(file);
          const result = await fetchImage(host, `docker://${REGISTRY}/${name}/app:1`);
          assert.deepEqual([result.status, result.stdout], [1, ""], `${name}: ${result.stderr}`);
          assert.match(result.stderr, text, name);
          assert.equal(await stored(host), empty, name);
        }
      }
      await using client = await connectClient(host);
      await configure({ limits: { idle: 3, attempts: 1 } });
      const options = { insecure: ["image", "http"] };
      const ended = await client.ended(
        await client.call("FetchImage", { source: `docker://${REGISTRY}/stall/app:1`, options }),
      );
      assert.equal(ended.Error[0], "org.gantry1.Error.TimedOut", ended.Error[1]);
      assert.equal(await stored(host), empty);
      await configure({ limits: { idle: 0 } });
      const wrong = await fetchImage(host, `docker://${REGISTRY}/good/app:1`);
      assert.equal(wrong.status, 1);
      assert.match(wrong.stderr, /"\/etc\/gantry\/registries\.d\/limits\.json" is wrong at "limits\.idle"/);
    });
  });
});
