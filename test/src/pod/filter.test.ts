/** What keeps gantry-filter from looking at a filter is not the filter's fault; the filter's own faults are in 31-refusals. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkFilters } from "../../../src/pod/filter.ts";
import { readIsolators } from "../../../src/pod/isolators.ts";
import { refusal } from "../../fixtures/refusal.ts";

const isolation = readIsolators({ scope: "app", app: "web" }, [
  { name: "os/linux/seccomp-retain-set", value: { set: ["read"] } },
]);
const apps = [{ name: "web", isolation }];

test("filter: a plan that cannot be read is told with its path", async () => {
  const checked = checkFilters({ apps, places: { libexec: "build/root/usr/lib/gantry" } }, "/nowhere");
  await assert.rejects(
    checked,
    refusal("Internal", 1, 'app "web"', "/nowhere/apps/web/plan.json", "No such"),
  );
});

test("filter: a program that is not there is told, and not called the filter's fault", async () => {
  const checked = checkFilters({ apps, places: { libexec: "/nowhere" } }, "/nowhere");
  await assert.rejects(checked, refusal("Unsupported", 1, 'app "web"', "gantry-filter"));
});
