/** An unpacker that is started before it is known what for (docs/unpacker.md, --wait). */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { rawTar } from "../../fixtures/ustar.ts";
import { type Report, temporary, UNPACK } from "./unpacking.ts";

const ARCHIVE = gzipSync(rawTar([{ name: "hello", body: "world" }]));

type Waiting = {
  readonly into: string;
  /** Sends bytes, ends the input, and waits for the unpacker's end. */
  send(bytes: Buffer): Promise<{ status: number | null; stderr: string }>;
};

/** Through a real pipe: Node's own are sockets. */
function start(t: TestContext): Waiting {
  const into = temporary(t);
  const script = 'cat | "$0" layer --into="$1" --wait';
  const child: ChildProcess = spawn("sh", ["-c", script, UNPACK, into], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr?.on("data", (chunk) => (stderr += chunk));
  return {
    into,
    send: async (bytes) => {
      child.stdin?.end(bytes);
      const [status] = (await once(child, "close")) as [number | null];
      return { status, stderr };
    },
  };
}

function reportIn(into: string): Report {
  return JSON.parse(readFileSync(join(into, "report"), "utf8"));
}

test("what the archive is may come after the start, and is obeyed", async (t) => {
  const { into, send } = start(t);
  writeFileSync(join(into, "options"), `--length=${ARCHIVE.length}\n--expect-size=${ARCHIVE.length}`);
  const { status } = await send(Buffer.concat([ARCHIVE, Buffer.from("another's")]));
  assert.equal(status, 0);
  assert.equal(reportIn(into).compressed?.size, ARCHIVE.length);
  assert.equal(readFileSync(join(into, "tree/hello"), "utf8"), "world");
  assert.deepEqual(readdirSync(into).toSorted(), ["digests", "report", "tree"]);
});

test("a promise that came later is broken like any other", async (t) => {
  const { into, send } = start(t);
  writeFileSync(join(into, "options"), `--expect-diff=sha256:${"0".repeat(64)}`);
  assert.equal((await send(ARCHIVE)).status, 1);
  const { kind, text = "" } = reportIn(into);
  assert.equal(kind, "DigestMismatch");
  assert.match(text, /the digest of the uncompressed archive is sha256:/);
  assert.deepEqual(readdirSync(into), ["report"]);
});

test("input that ends without a byte means that there is nothing to do", async (t) => {
  const { into, send } = start(t);
  assert.deepEqual(await send(Buffer.alloc(0)), { status: 0, stderr: "" });
  assert.deepEqual(readdirSync(into), []);
});

test("an archive that nobody has described is not unpacked", async (t) => {
  const { into, send } = start(t);
  assert.equal((await send(ARCHIVE)).status, 1);
  const { kind, text = "" } = reportIn(into);
  assert.equal(kind, "Internal");
  assert.match(text, /cannot read what describes the archive: No such file/);
  assert.deepEqual(readdirSync(into), ["report"]);
});

test("a description that is none is refused, and what was told at the start stays", async (t) => {
  const cases = [
    ["--colour=red", /unknown or incomplete option --colour=red/],
    ["--length=many", /bad value for --length/],
    ["--into=/elsewhere", /this does not describe an archive: --into=\/elsewhere/],
    ["decompress", /this does not describe an archive: decompress/],
    ["--length=1\n".repeat(20), /too many options describe the archive/],
  ] as const;
  for (const [options, told] of cases) {
    const { into, send } = start(t);
    writeFileSync(join(into, "options"), options);
    const { status, stderr } = await send(ARCHIVE);
    assert.equal(status, 1, options);
    assert.match(stderr, told);
    assert.match(reportIn(into).text ?? "", /cannot understand what describes the archive/);
    assert.deepEqual(readdirSync(into), ["report"]);
  }
});
