import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { DEFAULT_CAPABILITIES } from "../../../src/pod/capabilities.ts";
import { type Isolation, readIsolators } from "../../../src/pod/isolators.ts";
import { refusal } from "../../fixtures/refusal.ts";

const APP = { scope: "app", app: "one" } as const;

function read(...isolators: [name: string, value: unknown][]): Isolation {
  return readIsolators(
    APP,
    isolators.map(([name, value]) => ({ name, value })),
  );
}

test("limits become unit properties", () => {
  const { limits, report } = read(
    ["resource/memory", { limit: "64Mi", request: "1M" }],
    ["resource/cpu", { limit: "500m", request: "2" }],
    ["resource/pids", { limit: 20 }],
  );
  assert.deepEqual(limits, {
    memoryMax: 64 * 1024 * 1024,
    memoryLow: 1_000_000,
    cpuQuota: 500_000,
    cpuWeight: 200,
    tasksMax: 20,
  });
  assert.deepEqual(
    report.map(({ verdict, value }) => [verdict, value]),
    [
      ["enforced", "MemoryMax=67108864"],
      ["enforced", "CPUQuota=50%"],
      ["enforced", "TasksMax=20"],
    ],
  );
});

test("shares: 1024 are a weight of 100", () => {
  assert.equal(read(["os/linux/cpu-shares", 1024]).limits.cpuWeight, 100);
  assert.equal(read(["os/linux/cpu-shares", 2]).limits.cpuWeight, 1);
  assert.equal(read(["os/linux/cpu-shares", 262_144]).limits.cpuWeight, 10_000);
});

test("capabilities: the default 14, a removal from them, an exact set", () => {
  assert.equal(read().capabilities.length, 14);
  const removed = read(["os/linux/capabilities-remove-set", { set: ["CAP_NET_RAW", "CAP_SYS_ADMIN"] }]);
  assert.deepEqual(
    removed.capabilities,
    DEFAULT_CAPABILITIES.filter((name) => name !== "CAP_NET_RAW"),
  );
  const retained = read(["os/linux/capabilities-retain-set", { set: ["CAP_BPF", "CAP_BPF"] }]);
  assert.deepEqual(retained.capabilities, ["CAP_BPF"]);
});

test("seccomp: a retain set blocks the rest, with life's own calls", () => {
  const { seccomp } = read(["os/linux/seccomp-retain-set", { set: ["read", "write"], errno: "ENOTSUP" }]);
  assert.ok(typeof seccomp === "object");
  assert.equal(seccomp.defaultAction, "SCMP_ACT_ERRNO");
  assert.equal(seccomp.defaultErrnoRet, constants.errno.ENOTSUP);
  const names = seccomp.syscalls?.[0]?.names ?? [];
  for (const name of ["read", "write", "execve", "exit_group"]) assert.ok(names.includes(name), name);
});

test("seccomp: a remove set blocks what is named and what reaches past namespaces", () => {
  const { seccomp } = read(["os/linux/seccomp-remove-set", { set: ["chmod"] }]);
  assert.ok(typeof seccomp === "object");
  assert.equal(seccomp.defaultAction, "SCMP_ACT_ALLOW");
  assert.deepEqual(seccomp.syscalls?.[0], { names: ["chmod"], action: "SCMP_ACT_KILL_PROCESS" });
  assert.ok(seccomp.syscalls?.[1]?.names.includes("kexec_load"));
});

test("seccomp: the wildcards", () => {
  assert.equal(read(["os/linux/seccomp-retain-set", { set: ["read", "@appc.io/all"] }]).seccomp, "none");
  assert.equal(read(["os/linux/seccomp-remove-set", { set: ["@appc.io/empty"] }]).seccomp, "none");
  assert.equal(
    read(["os/linux/seccomp-retain-set", { set: ["@docker/default-whitelist"] }]).seccomp,
    "default",
  );
  assert.equal(read().seccomp, "default");
});

test("what is not enforced is reported, not dropped", () => {
  const { report } = read(
    ["resource/network-bandwidth", { default: true, limit: "1G" }],
    ["x/y", 1],
    ["constructor", 1],
  );
  assert.deepEqual(
    report.map(({ app, name, verdict }) => [app, name, verdict]),
    [
      ["one", "resource/network-bandwidth", "ignored"],
      ["one", "x/y", "ignored"],
      ["one", "constructor", "ignored"],
    ],
  );
  const pod = readIsolators({ scope: "pod" }, [{ name: "os/linux/cpu-shares", value: 2 }]);
  assert.deepEqual([pod.report[0]?.verdict, pod.limits], ["ignored", {}]);
});

const BAD: readonly (readonly [what: string, isolators: [string, unknown][], text: string])[] = [
  ["milli-bytes of memory", [["resource/memory", { limit: "16m" }]], "memory limit of 0 bytes is too low"],
  ["a page less", [["resource/memory", { limit: "4095" }]], "memory limit of 4095 bytes is too low"],
  ["no number", [["resource/memory", { limit: "lots" }]], '"lots" is not a quantity'],
  ["more than fits", [["resource/memory", { limit: "9007199254740993" }]], "more than any machine has"],
  ["neither limit nor request", [["resource/cpu", {}]], "neither a limit nor a request"],
  ["no processor at all", [["resource/cpu", { limit: "0" }]], "CPU limit of 0"],
  ["half a process", [["resource/pids", { limit: "1500m" }]], "resource/pids wants"],
  ["shares beyond the range", [["os/linux/cpu-shares", 1]], "from 2 to 262144"],
  ["a score beyond the range", [["os/linux/oom-score-adj", 1001]], "from -1000 to 1000"],
  ["a word for a switch", [["os/linux/no-new-privileges", "yes"]], "wants true or false"],
  [
    "an unknown capability",
    [["os/linux/capabilities-retain-set", { set: ["CAP_ALL"] }]],
    '"CAP_ALL" is not a capability',
  ],
  ["an empty set", [["os/linux/capabilities-remove-set", { set: [] }]], "set must be non-empty"],
  [
    "an unknown errno",
    [["os/linux/seccomp-remove-set", { set: ["chmod"], errno: "EWHAT" }]],
    '"EWHAT" is not the name of an errno',
  ],
  ["no object", [["os/linux/seccomp-retain-set", null]], "os/linux/seccomp-retain-set is not an object"],
  [
    "a call that is none",
    [["os/linux/seccomp-remove-set", { set: ["ch mod"] }]],
    '"ch mod" is not a system call',
  ],
  [
    "more calls than a launch plan has room for",
    [["os/linux/seccomp-remove-set", { set: Array.from({ length: 1020 }, (_, i) => `call${i}`) }]],
    "at most 1024 system calls",
  ],
  [
    "the same twice",
    [
      ["resource/cpu", { limit: "1" }],
      ["resource/cpu", { limit: "2" }],
    ],
    "too many instances of type resource/cpu",
  ],
  [
    "retain with remove",
    [
      ["os/linux/capabilities-retain-set", { set: ["CAP_KILL"] }],
      ["os/linux/capabilities-remove-set", { set: ["CAP_KILL"] }],
    ],
    "incompatible types",
  ],
  [
    "both seccomp sets",
    [
      ["os/linux/seccomp-retain-set", { set: ["read"] }],
      ["os/linux/seccomp-remove-set", { set: ["chmod"] }],
    ],
    "incompatible types",
  ],
];

for (const [what, isolators, text] of BAD) {
  test(`refuses ${what}`, () => {
    assert.throws(() => read(...isolators), refusal("BadManifest", 1, text));
  });
}

test("refuses a profile that nobody would apply", () => {
  assert.throws(
    () => read(["os/linux/apparmor-profile", { profile: "x" }]),
    refusal("Unsupported", 1, 'app "one"', "os/linux/apparmor-profile"),
  );
});
