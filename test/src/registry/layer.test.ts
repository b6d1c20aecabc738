/** Layers from several sources: who is asked, until when another may be, and by whom the rest has to come. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { Source } from "../../../src/inbox/protocol.ts";
import { openLayer } from "../../../src/registry/layer.ts";
import { openSources } from "../../../src/registry/sources.ts";
import { openClient } from "../../../src/transfer/client.ts";
import { digestOf } from "../../fixtures/images.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { type RegistryOptions, startRegistry } from "../../fixtures/registry.ts";

const LAYER = randomBytes(500_000);
const DIGEST = digestOf(LAYER);

async function take(urls: readonly string[]) {
  const log: string[] = [];
  await using client = openClient({ limits: { pause: 1, attempts: 3 }, log: (text) => log.push(text) });
  const sources = urls.map((url): Source => ({ url, capabilities: ["pull"], plainHttp: true }));
  const opened = openSources(client, sources, "team/app");
  const wanted = { digest: DIGEST, size: LAYER.length, into: "x" };
  const layer = openLayer({ client, sources: opened, access: {} }, wanted);
  const chunks: Buffer[] = [];
  for await (const chunk of layer) chunks.push(chunk);
  return {
    digest: digestOf(Buffer.concat(chunks)),
    host: layer.host(),
    log,
    next: opened.with("pull")[0]?.host,
  };
}

async function holding(intercept?: RegistryOptions["intercept"]) {
  const registry = await startRegistry(intercept === undefined ? {} : { intercept });
  registry.blob("x", LAYER);
  return registry;
}

test("layer: a mirror that is busy is not waited for, and asked last from then on", async () => {
  await using mirror = await holding((_, response) => {
    response.writeHead(503, { "retry-after": "50" }).end();
    return true;
  });
  await using registry = await holding();
  const taken = await take([mirror.url, registry.url]);
  const host = `127.0.0.1:${registry.port}`;
  assert.deepEqual([taken.digest, taken.host, taken.next], [DIGEST, host, host]);
  assert.equal(mirror.seen.length, 1);
  assert.match(taken.log.join("\n"), new RegExp(`answers 503; "${host}" is asked next`));
});

test("layer: once it has begun, the same server has to go on", async () => {
  let count = 0;
  await using mirror = await holding((_, response) => {
    if (++count > 1) return false;
    response.writeHead(200, { "content-length": LAYER.length });
    response.write(LAYER.subarray(0, 100_000), () => setTimeout(() => response.socket?.destroy(), 20));
    return true;
  });
  await using registry = await holding();
  const taken = await take([mirror.url, registry.url]);
  assert.deepEqual([taken.digest, taken.host], [DIGEST, `127.0.0.1:${mirror.port}`]);
  assert.deepEqual(registry.seen, []);
});

test("layer: the last server's failure is told when nobody has it", async () => {
  await using mirror = await startRegistry();
  await using registry = await startRegistry();
  const told = refusal("NoSuchImage", 4, DIGEST, registry.url, "answers 404");
  await assert.rejects(take([mirror.url, registry.url]), told);
});
