/**
 * Whole pods, from request to documents, against test/golden/pods: what a change of the planner changes shows in the diff of
 * these files. GANTRY_UPDATE_GOLDEN=1 writes them anew.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { DEFAULT_PATHS } from "../../../src/config/paths.ts";
import { decidePod } from "../../../src/pod/decide.ts";
import { launchPlan, sandboxPlan } from "../../../src/pod/plan.ts";
import { PodRecord } from "../../../src/pod/record.ts";
import { podRecord } from "../../../src/pod/record-of.ts";
import { manifestOfRequest } from "../../../src/pod/reify.ts";
import type { PodRequestInput } from "../../../src/pod/request.ts";
import { unitSet } from "../../../src/pod/units.ts";
import { LaunchPlan } from "../../../src/stage1/plan.ts";
import { SandboxPlan } from "../../../src/stage1/sandbox.ts";
import { UnitSet } from "../../../src/stage1/units.ts";
import { IMAGE_ID, imageRecord, podRequest } from "../../fixtures/pods.ts";

const GOLDEN = new URL("../../golden/pods/", import.meta.url);
const UUID = "0123456789abcdef0123456789abcdef";

type Case = { readonly request: Partial<PodRequestInput>; readonly image: ReturnType<typeof imageRecord> };

const CASES: Readonly<Record<string, Case>> = {
  least: { request: {}, image: imageRecord() },
  "two-apps": {
    request: {
      name: "my-web",
      network: ["host"],
      isolators: [{ name: "resource/memory", value: { limit: "1G" } }],
      volumes: [
        { name: "data", kind: "host", source: "/srv/data", readOnly: true },
        { name: "tmp", kind: "empty", mode: "1777" },
      ],
      mounts: [{ volume: "tmp", path: "/tmp" }],
      apps: [
        {
          image: "front",
          name: "front",
          user: "www-data",
          mounts: [{ volume: "data", path: "/srv/data" }],
          isolators: [
            { name: "resource/cpu", value: { limit: "500m" } },
            { name: "resource/pids", value: { limit: "20" } },
            { name: "os/linux/capabilities-retain-set", value: { set: ["CAP_NET_BIND_SERVICE"] } },
          ],
          readOnlyRootFS: true,
        },
        {
          image: "front",
          name: "back-end",
          exec: "/bin/sh",
          args: ["-c", "echo $HOME $$"],
          restart: { policy: "on-failure", delay: 2, limit: { starts: 5, interval: 60 } },
          stopSignal: "SIGRTMIN+3",
          stopTimeout: 0.5,
          isolators: [{ name: "os/linux/seccomp-remove-set", value: { set: ["chmod"], errno: "EPERM" } }],
          log: "journal",
        },
      ],
    },
    image: imageRecord(),
  },
  appc: {
    request: { userns: "host", terminal: true, stdin: true, term: "vt100" },
    image: imageRecord({ cmd: [], user: "0", group: "0", notifies: true }, { kind: "appc" }),
  },
};

function documents({ request, image }: Case): unknown {
  const images = new Map([
    ["front", image],
    [IMAGE_ID, image],
  ]);
  const manifest = manifestOfRequest(podRequest(request), images);
  const userns = manifest.userns === "host" ? { mode: "host" as const } : RANGE;
  const { draft } = decidePod({ uuid: UUID, manifest, images, userns, paths: DEFAULT_PATHS });
  return {
    record: PodRecord.parse(podRecord(draft, { created: 1 })),
    sandbox: SandboxPlan.parse(sandboxPlan(draft)),
    units: UnitSet.parse(unitSet(draft)),
    plans: draft.apps.map((app) => LaunchPlan.parse(launchPlan(draft, app))),
  };
}

const RANGE = { mode: "pod", base: 0x7000_0000, size: 65_536 } as const;

for (const [name, one] of Object.entries(CASES)) {
  test(`golden pod: ${name}`, () => {
    const file = new URL(`${name}.json`, GOLDEN);
    const text = `${JSON.stringify(documents(one), null, 2)}\n`;
    if (process.env["GANTRY_UPDATE_GOLDEN"] === "1") writeFileSync(file, text);
    assert.equal(text, readFileSync(file, "utf8"));
  });
}
