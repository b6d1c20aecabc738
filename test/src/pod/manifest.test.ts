import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseDocument } from "../../../src/pod/check.ts";
import { PodManifest } from "../../../src/pod/manifest.ts";
import { APPS_MAX } from "../../../src/pod/parts.ts";
import { refusal } from "../../fixtures/refusal.ts";

const LEAST = {
  acKind: "PodManifest",
  acVersion: "0.8.11",
  apps: [{ name: "one", image: { id: "busybox" } }],
};
const ORIGIN = { name: '"/pod.json"', kind: "BadManifest" } as const;

function parse(value: unknown): PodManifest {
  return parseDocument(PodManifest, typeof value === "string" ? value : JSON.stringify(value), ORIGIN);
}

test("what is left out gets appc's and Gantry's defaults", () => {
  const manifest = parse(LEAST);
  assert.deepEqual(manifest.network, ["none"]);
  assert.equal(manifest.userns, "pod");
  const [app] = manifest.apps;
  assert.deepEqual(
    [app?.readOnlyRootFS, app?.restart, app?.log, app?.stdin, app?.stopTimeout],
    [false, { policy: "no" }, "pipe", "null", 10],
  );
});

test("Go's null lists are empty lists", () => {
  const manifest = parse({ ...LEAST, volumes: null, isolators: null, annotations: null, ports: null });
  assert.deepEqual([manifest.volumes, manifest.isolators, manifest.ports], [[], [], []]);
});

test("restart is a word or systemd's words", () => {
  const of = (restart: unknown) =>
    parse({ ...LEAST, apps: [{ ...LEAST.apps[0], restart }] }).apps[0]?.restart;
  assert.deepEqual(of("always"), { policy: "always" });
  const whole = { policy: "on-failure", delay: 1.5, limit: { starts: 3, interval: 60 } };
  assert.deepEqual(of(whole), whole);
});

const app = (more: object) => ({ ...LEAST, apps: [{ ...LEAST.apps[0], ...more }] });
const many = (count: number) => ({
  ...LEAST,
  apps: Array.from({ length: count }, (_, index) => ({ name: `app${index}`, image: { id: "busybox" } })),
});
const own = { exec: ["/x"], user: "0", group: "0" };

const REFUSED: readonly (readonly [what: string, value: unknown, text: string])[] = [
  ["no JSON", "{", '"/pod.json" line 1 is not JSON'],
  ["an unknown key of the pod", { ...LEAST, hostName: "x" }, 'unknown key "hostName"'],
  ["an unknown key of an app", app({ privileged: true }), 'apps[0]: unknown key "privileged"'],
  ["an unknown key deep inside", app({ app: { ...own, capAdd: [] } }), 'apps[0].app: unknown key "capAdd"'],
  ["an unknown key with escapes", { ...LEAST, "a\u001b]0;x\n": 1 }, 'unknown key "a\\x1b]0;x\\x0a"'],
  ["no apps", { ...LEAST, apps: [] }, "apps: "],
  ["more apps than a sandbox knows", many(APPS_MAX + 1), `apps: a pod has at most ${APPS_MAX} apps`],
  ["an app's name", app({ name: "No" }), "apps[0].name: not an ACName"],
  ["another kind", { ...LEAST, acKind: "ImageManifest" }, "acKind: "],
  [
    "a relative mount path",
    app({ mounts: [{ volume: "v", path: "x" }] }),
    "apps[0].mounts[0].path: not an absolute path",
  ],
  ["a volume without kind", { ...LEAST, volumes: [{ name: "v" }] }, "volumes[0].kind: "],
  [
    "a source of an empty volume",
    { ...LEAST, volumes: [{ name: "v", kind: "empty", source: "/x" }] },
    'volumes[0]: unknown key "source"',
  ],
  [
    "a mode of a host volume",
    { ...LEAST, volumes: [{ name: "v", kind: "host", source: "/x", mode: "0755" }] },
    'volumes[0]: unknown key "mode"',
  ],
  [
    "a relative source",
    { ...LEAST, volumes: [{ name: "v", kind: "host", source: "x" }] },
    "volumes[0].source: not an absolute path",
  ],
  [
    "a NUL in a command",
    app({ app: { ...own, exec: ["/x", "a\0b"] } }),
    "apps[0].app.exec[1]: holds a NUL byte",
  ],
  [
    "a NUL in a variable",
    app({ app: { ...own, environment: [{ name: "A", value: "\0" }] } }),
    "apps[0].app.environment[0].value",
  ],
  [
    "a variable's name",
    app({ app: { ...own, environment: [{ name: "A=B", value: "" }] } }),
    "apps[0].app.environment[0].name",
  ],
  ["an unknown restart policy", app({ restart: "sometimes" }), "apps[0].restart"],
  ["a host name", { ...LEAST, hostname: "a b" }, "hostname: not a host name"],
  ["a user namespace", { ...LEAST, userns: "private" }, "userns: "],
];

test("a pod may have as many apps as its sandbox knows", () => {
  assert.equal(parse(many(APPS_MAX)).apps.length, APPS_MAX);
  assert.match(
    readFileSync("native/relay/relay.h", "utf8"),
    new RegExp(`^#define RELAY_APPS_MAX ${APPS_MAX}U$`, "m"),
  );
});

for (const [what, value, text] of REFUSED) {
  test(`refuses ${what}`, () => {
    assert.throws(() => parse(value), refusal("BadManifest", 1, '"/pod.json"', text));
  });
}
