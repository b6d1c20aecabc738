/** The golden plans, which native/plan's tests read, too: both sides must agree on what a plan is. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { LaunchPlan } from "../../../src/stage1/plan.ts";
import { SandboxPlan } from "../../../src/stage1/sandbox.ts";

const GOLDEN = new URL("../../golden/plans/", import.meta.url);

/** What JSON.parse takes and a strict reader must not, and names that only C resolves, from the kernel's headers. */
const ONLY_NATIVE = new Set([
  "launch-duplicate-key.json",
  "launch-capability-unknown.json",
  "launch-rlimit-unknown.json",
]);

function plansOf(kind: "valid" | "invalid"): string[] {
  return readdirSync(new URL(kind, GOLDEN)).filter((name) => name.endsWith(".json"));
}

/** The key paths that the schema complains about, in native/plan's notation; undefined if it accepts the plan. */
function complaints(kind: string, name: string): string[] | undefined {
  const schema = name.startsWith("sandbox-") ? SandboxPlan : LaunchPlan;
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(new URL(`${kind}/${name}`, GOLDEN), "utf8"));
  } catch {
    return ["line"];
  }
  const result = schema.safeParse(json);
  if (result.success) return undefined;
  return result.error.issues.flatMap((issue) => {
    const keys =
      issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
    return keys.map(pathOf);
  });
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === "number" ? `${text}[${part}]` : text ? `${text}.${String(part)}` : String(part),
    "",
  );
}

for (const name of plansOf("valid")) {
  test(`${name} is a plan`, () => {
    assert.equal(complaints("valid", name), undefined);
  });
}

for (const name of plansOf("invalid").filter((each) => !ONLY_NATIVE.has(each))) {
  test(`${name} is refused, naming the key`, () => {
    const wanted = readFileSync(new URL(`invalid/${name.replace(/json$/, "error")}`, GOLDEN), "utf8").trim();
    const found = complaints("invalid", name);
    assert.ok(found, "accepted");
    assert.ok(
      wanted === "object" || wanted === "line" || found.some((path) => path.includes(wanted)),
      `${wanted}: ${found}`,
    );
  });
}
