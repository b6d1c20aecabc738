/** Memory of the fetcher as it is installed: the same for a layer of any size. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { startRegistry } from "../../fixtures/registry.ts";

const LAYER_SIZE = 700 * 1024 * 1024;
const LAYERS = 3;
const MOST_MIB = 120;

/** As native/gantry/node.c starts it. */
const FLAGS = [
  ...[
    "--disable-proto=delete",
    "--no-expose-wasm",
    "--jitless",
    "--v8-pool-size=1",
    "--max-semi-space-size=1",
  ],
];

test("fetcher: 2 GB in three streams at once take no more than 120 MB of memory", async () => {
  const digest = (at: number) => `sha256:${String(at).repeat(64)}`;
  const chunk = Buffer.alloc(1024 * 1024);
  await using registry = await startRegistry({
    intercept: (_, response, url) => {
      if (!/\/blobs\/sha256:(\d)\1+$/.test(url.pathname)) return false;
      let left = LAYER_SIZE;
      const more = () => {
        while (left > 0 && response.write(chunk)) left -= chunk.length;
        if (left > 0) left -= chunk.length;
        if (left === 0) response.end();
      };
      response.writeHead(200, { "content-length": LAYER_SIZE }).on("drain", more);
      more();
      return true;
    },
  });
  registry.image("team/app", "1", [Buffer.from("x")]);
  const directory = mkdtempSync(join(tmpdir(), "gantry-memory-"));
  mkdirSync(join(directory, "layers"));
  const child = spawn(process.execPath, [...FLAGS, "build/bundle/fetcher.cjs"], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const tell = (document: unknown) => child.stdin.write(`${JSON.stringify(document)}\n`);
  tell({
    ...{ version: 1, kind: "registry", reference: "registry.test/team/app:1", directory },
    platform: { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch, variants: [] },
    sources: [{ url: registry.url, capabilities: ["pull", "resolve"], plainHttp: true }],
    signatures: { lookaside: [], cosign: false, referrers: false },
  });
  const readers: Promise<unknown>[] = [];
  let delivered = 0;
  for await (const line of createInterface(child.stdout)) {
    const event = JSON.parse(line);
    assert.notEqual(event.event, "failed", line);
    if (event.event === "resolved") {
      const wanted = Array.from({ length: LAYERS }, (_, at) => ({
        digest: digest(at),
        size: LAYER_SIZE,
        into: `layers/${at}`,
      }));
      for (const { into } of wanted) {
        execFileSync("mkfifo", [join(directory, into)]);
        const reader = spawn("sh", ["-c", 'exec cat "$1" >/dev/null', "sh", join(directory, into)]);
        readers.push(new Promise((resolve) => reader.on("close", resolve)));
      }
      tell({ get: wanted });
    }
    if (event.event === "layer" && ++delivered === LAYERS) break;
  }
  const peak =
    Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024;
  child.kill();
  await Promise.all(readers);
  rmSync(directory, { recursive: true });
  assert.equal(delivered, LAYERS);
  assert.ok(peak <= MOST_MIB, `${peak} MiB`);
});
