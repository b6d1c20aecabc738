/** `npm run demo` in both of its places. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { bootHost } from "../host/host.ts";
import { CHECKOUT } from "../host/machine.ts";

const DEMO = ["--import", "tsx", "test/demo/main.ts"];
const END = /\nDone in [0-9.]+ s\. Nothing is left running\.\n$/;

test("demo: shows the main job in a test host of its own", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, DEMO, { cwd: CHECKOUT });
  assert.match(stdout, /Running on a test host of its own/);
  assert.match(stdout, END);
});

test("demo: shows it on a host whose PID 1 is systemd, and takes away what it installed", async () => {
  await using host = await bootHost({ name: "demo-place", tree: "" });
  const list = async (): Promise<string> =>
    (await host.exec(["sh", "-c", "find /usr -newer /etc/hostname -name '*gantry*' | sort"])).stdout;
  const before = await list();
  const { status, stdout, stderr } = await host.exec([process.execPath, ...DEMO], {
    cwd: CHECKOUT,
    timeoutMs: 120_000,
  });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /Running on this host; build\/root is installed meanwhile/);
  assert.match(stdout, END);
  assert.equal(await list(), before);
});
