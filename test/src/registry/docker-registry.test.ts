/** Against Debian's docker-registry: open, with tokens, over TLS, through a proxy, as a mirror. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseManifest } from "../../../src/image/oci.ts";
import { hostPlatform } from "../../../src/image/platform.ts";
import { parseRepository } from "../../../src/image/repository.ts";
import type { Source } from "../../../src/inbox/protocol.ts";
import { openLayer } from "../../../src/registry/layer.ts";
import { resolveImage } from "../../../src/registry/resolution.ts";
import { openSources } from "../../../src/registry/sources.ts";
import { type ClientSettings, openClient } from "../../../src/transfer/client.ts";
import { digestOf, manyLayerImage } from "../../fixtures/images.ts";
import {
  type LoopbackRegistry,
  startLoopbackRegistry,
  startTokenServer,
} from "../../fixtures/loopback-registry.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { makeAuthority, startProxy } from "../../fixtures/web.ts";

const USER = "me:secret";
const CREDENTIALS = { kind: "basic", user: "me", password: "secret" } as const;

type Options = { readonly sources?: readonly Partial<Source>[]; readonly client?: ClientSettings };

/** Resolves an image and reads all of its layers; the digest of its manifest, and who served each layer. */
async function pull(
  registry: LoopbackRegistry,
  name: string,
  { sources = [{}], client: settings }: Options = {},
) {
  await using client = openClient({ limits: { pause: 1, attempts: 2 }, ...settings });
  const reference = parseRepository(`127.0.0.1:${registry.port}/${name}`);
  const servers = sources.map(
    (source): Source => ({
      url: registry.url,
      capabilities: ["pull", "resolve"],
      plainHttp: true,
      ...source,
    }),
  );
  const opened = openSources(client, servers, reference.repository);
  const { manifest, documents } = await resolveImage(opened, reference, hostPlatform());
  const bytes = documents.get(manifest.digest) ?? Buffer.alloc(0);
  const hosts: string[] = [];
  for (const { digest, size } of parseManifest(bytes, "the manifest", manifest).layers) {
    const layer = openLayer({ client, sources: opened, access: {} }, { digest, size, into: "x" });
    const chunks: Buffer[] = [];
    for await (const chunk of layer) chunks.push(chunk);
    assert.equal(digestOf(Buffer.concat(chunks)), digest);
    hosts.push(layer.host());
  }
  return { digest: manifest.digest, hosts };
}

test("docker-registry: an image of four layers, by tag and by digest", async () => {
  await using registry = await startLoopbackRegistry();
  const digest = await registry.push("team/app:1", await manyLayerImage(3));
  assert.equal((await pull(registry, "team/app:1")).digest, digest);
  assert.equal((await pull(registry, `team/app@${digest}`)).hosts.length, 4);
  await assert.rejects(
    pull(registry, "team/app:2"),
    refusal("NoSuchImage", 4, "team/app:2", "MANIFEST_UNKNOWN"),
  );
  const absent = `team/app@sha256:${"a".repeat(64)}`;
  await assert.rejects(pull(registry, absent), refusal("NoSuchImage", 4, absent));
});

test("docker-registry: tokens, anonymous and of a user, for what they are for", async () => {
  const { server } = await makeAuthority();
  await using tokens = await startTokenServer(server, USER);
  await using registry = await startLoopbackRegistry({ tokens });
  const image = await manyLayerImage(1);
  await registry.push("pub/app:1", image);
  await registry.push("priv/app:1", image);
  await pull(registry, "pub/app:1");
  await pull(registry, "pub/app:1", { sources: [{ credentials: CREDENTIALS }] });
  await pull(registry, "priv/app:1", { sources: [{ credentials: CREDENTIALS }] });
  await assert.rejects(pull(registry, "priv/app:1"), refusal("AccessDenied", 6, "priv/app:1", "auth.d"));
  const wrong = { ...CREDENTIALS, password: "wrong" };
  await assert.rejects(
    pull(registry, "priv/app:1", { sources: [{ credentials: wrong }] }),
    refusal("AccessDenied", 6, `${tokens.url}/token`, "with the credentials configured"),
  );
});

test("docker-registry: TLS of a private authority, through a proxy that knows where the name leads", async () => {
  const authority = await makeAuthority(["registry.test"]);
  await using registry = await startLoopbackRegistry({ identity: authority.server });
  const digest = await registry.push("team/app:1", await manyLayerImage(2));
  const direct = { sources: [{ ca: authority.ca, plainHttp: false }] };
  assert.equal((await pull(registry, "team/app:1", direct)).digest, digest);
  await using proxy = await startProxy({ names: { "registry.test:443": registry.port } });
  const client = { proxy: { https: proxy.url } };
  const url = "https://registry.test";
  const proxied = await pull(registry, "team/app:1", {
    sources: [{ url, ca: authority.ca, plainHttp: false }],
    client,
  });
  assert.deepEqual([proxied.digest, new Set(proxied.hosts)], [digest, new Set(["registry.test"])]);
  assert.ok(proxy.seen.length > 0 && proxy.seen.every(({ method }) => method === "CONNECT"));
  await assert.rejects(
    pull(registry, "team/app:1", { sources: [{ plainHttp: false }] }),
    refusal("FetchFailed", 1, registry.url, "not trusted here"),
  );
  await pull(registry, "team/app:1", { sources: [{ insecureTls: true }] });
});

test("docker-registry: a mirror serves layers, the registry says what the tag is", async () => {
  await using registry = await startLoopbackRegistry();
  await using mirror = await startLoopbackRegistry();
  const image = await manyLayerImage(1);
  const digest = await registry.push("team/app:1", image);
  await mirror.push("cache/team/app:1", await manyLayerImage(2));
  const sources = [{ url: `${mirror.url}/cache`, capabilities: ["pull"] as ["pull"] }, {}];
  const before = await pull(registry, "team/app:1", { sources });
  assert.equal(before.digest, digest);
  await mirror.push("cache/team/app:other", image);
  const after = await pull(registry, "team/app:1", { sources });
  assert.deepEqual([after.digest, new Set(after.hosts)], [digest, new Set([`127.0.0.1:${mirror.port}`])]);
});
