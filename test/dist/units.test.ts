/** The installed units, as systemd reads them. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { bootHost } from "../host/host.ts";

/** systemd-analyze's exposure of services that run Gantry's own code: 0.0 is locked up, 10.0 is free. */
const EXPOSURE: Readonly<Record<string, number>> = {
  "gantry-agent.service": 1.7,
  "gantry-ended@.service": 1.3,
  "gantry-gc.service": 1.2,
  "gantry@.service": 9.0,
};

/** Manual pages come with the package; build/root has none. */
const NO_PAGE = /^.*: Command 'man .*' failed with code 16\n/gm;

test("units: systemd-analyze verify has nothing to say, and no service is more exposed than it was", async () => {
  const units = (await readdir("units")).sort();
  assert.ok(units.includes("gantry.slice"));
  await using host = await bootHost({ name: "units" });
  const verified = await host.exec(["systemd-analyze", "verify", ...units]);
  assert.equal(verified.stderr.replaceAll(NO_PAGE, ""), "");
  for (const unit of units.filter((name) => name.endsWith(".service"))) {
    const { stdout } = await host.exec(["systemd-analyze", "security", "--no-pager", unit]);
    assert.ok(unit in EXPOSURE, `${unit} has no exposure pinned`);
    const exposure = Number(/Overall exposure level for .*: ([0-9.]+)/.exec(stdout)?.[1]);
    assert.ok(exposure <= (EXPOSURE[unit] ?? 0), `${unit} is exposed ${exposure}:\n${stdout}`);
  }
});
