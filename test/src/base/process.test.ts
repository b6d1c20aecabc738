import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { bootId, processStartTime } from "../../../src/base/process.ts";

test("processStartTime is constant for a process, later for a later one, undefined for none", async () => {
  const own = await processStartTime(process.pid);
  assert.ok(own !== undefined && own > 0);
  assert.equal(await processStartTime(process.pid), own);
  const child = spawn("sleep", ["60"]);
  await once(child, "spawn");
  const started = await processStartTime(child.pid ?? 0);
  assert.ok(started !== undefined && started >= own);
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(await processStartTime(child.pid ?? 0), undefined);
});

test("processStartTime reads past a name with blanks and parentheses", async () => {
  const directory = await mkdtemp(join(tmpdir(), "gantry-process-"));
  const program = join(directory, "a) S 1 (b");
  await copyFile("/bin/sleep", program);
  const child = spawn(program, ["60"]);
  try {
    await once(child, "spawn");
    const own = (await processStartTime(process.pid)) ?? 0;
    assert.ok(((await processStartTime(child.pid ?? 0)) ?? 0) >= own);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
    await rm(directory, { recursive: true });
  }
});

test("bootId has 32 digits", async () => {
  assert.match(await bootId(), /^[0-9a-f]{32}$/);
});
