import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parsePodWords } from "../../../src/cli/pod-grammar.ts";
import { APP_OPTIONS, POD_OPTIONS } from "../../../src/cli/pod-options.ts";
import { manifestFile, podRequest } from "../../../src/cli/pod-request.ts";
import type { Context } from "../../../src/cli/verb.ts";
import { DEFAULT_PATHS } from "../../../src/config/paths.ts";
import { PodRequest } from "../../../src/pod/request.ts";
import { refusal } from "../../fixtures/refusal.ts";

const CONTEXT: Context = {
  paths: DEFAULT_PATHS,
  uid: 0,
  environment: { TERM: "vt220", GONE: undefined, HOME: "/root" },
  stdinTerminal: true,
  stdoutTerminal: false,
  stderrTerminal: false,
  terminalSize: () => ({ columns: 80, rows: 24 }),
  authentication: () => assert.fail("nobody is to be asked"),
  out: () => {},
  err: () => {},
};

const words = (...given: string[]) => parsePodWords(given, { pod: POD_OPTIONS, app: APP_OPTIONS });
/** What the manager's schema makes of it: an option that it would not take is a mistake here. */
const request = (...given: string[]) => PodRequest.parse(podRequest(words(...given), CONTEXT));

test("the least pod", () => {
  const { network, userns, terminal, stdin, apps } = request("busybox");
  assert.deepEqual([network, userns, terminal, stdin], [["none"], "pod", false, false]);
  assert.deepEqual(
    apps.map((app) => [app.image, app.args]),
    [["busybox", undefined]],
  );
});

test("everything of an app", () => {
  const [app] = request(
    ...["busybox", "--name=one", "--exec=/bin/sh", "--user=web", "--group=adm", "--supplementary-gids=1,2"],
    ...[
      "--working-dir=/tmp",
      "--environment=A=b",
      "--mount=volume=v,target=/v",
      "--memory=64M",
      "--cpu=500m",
    ],
    ...[
      "--pids=20",
      "--cpu-shares=512",
      "--oom-score-adj=-5",
      "--caps-retain=CAP_KILL,CAP_CHOWN",
      "--readonly-rootfs",
    ],
    ...[
      "--seccomp=mode=remove,errno=EPERM,chmod,chown",
      "--restart=on-failure",
      "--annotation=k=v",
      "--",
      "-c",
      "x",
    ],
  ).apps;
  assert.deepEqual(app, {
    image: "busybox",
    name: "one",
    exec: "/bin/sh",
    user: "web",
    group: "adm",
    supplementaryGids: [1, 2],
    workingDirectory: "/tmp",
    environment: [{ name: "A", value: "b" }],
    mounts: [{ volume: "v", path: "/v" }],
    isolators: [
      { name: "resource/memory", value: { limit: "64M" } },
      { name: "resource/cpu", value: { limit: "500m" } },
      { name: "resource/pids", value: { limit: "20" } },
      { name: "os/linux/capabilities-retain-set", value: { set: ["CAP_KILL", "CAP_CHOWN"] } },
      { name: "os/linux/seccomp-remove-set", value: { set: ["chmod", "chown"], errno: "EPERM" } },
      { name: "os/linux/cpu-shares", value: "512" },
      { name: "os/linux/oom-score-adj", value: "-5" },
    ],
    readOnlyRootFS: true,
    restart: { policy: "on-failure" },
    annotations: [{ name: "k", value: "v" }],
    args: ["-c", "x"],
  });
});

test("volumes", () => {
  const { volumes } = request(
    "--volume=data,kind=host,source=/srv,readOnly=true,recursive=false",
    "--volume=tmp,kind=empty,mode=1777,uid=1,gid=2",
    "busybox",
  );
  assert.deepEqual(volumes, [
    { name: "data", kind: "host", source: "/srv", readOnly: true, recursive: false },
    { name: "tmp", kind: "empty", mode: "1777", uid: 1, gid: 2 },
  ]);
});

test("limits before the first image are the pod's", () => {
  assert.deepEqual(request("--memory=1G", "busybox").isolators, [
    { name: "resource/memory", value: { limit: "1G" } },
  ]);
});

test("a terminal when standard input is one, with its TERM", () => {
  const { terminal, stdin, term } = request("--interactive", "busybox");
  assert.deepEqual([terminal, stdin, term], [true, true, "vt220"]);
  const piped = podRequest(words("--interactive", "busybox"), { ...CONTEXT, stdinTerminal: false });
  assert.deepEqual([piped.terminal, piped.stdin], [false, true]);
});

test("the environment: file lines before --set-env; comments and empty lines are none", () => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-cli-"));
  const file = join(directory, "env");
  try {
    writeFileSync(file, "# comment\n\n  ; another\nA=1\nB=x=y\n");
    const { environment, inherited } = request(
      `--set-env-file=${file}`,
      "--set-env=C=3",
      "--inherit-env",
      "busybox",
    );
    assert.deepEqual(
      environment.map(({ name, value }) => `${name}=${value}`),
      ["A=1", "B=x=y", "C=3"],
    );
    assert.deepEqual(
      inherited.map(({ name }) => name),
      ["TERM", "HOME"],
    );
    writeFileSync(file, "A=1\nbroken line\n");
    assert.throws(
      () => request(`--set-env-file=${file}`, "busybox"),
      refusal("Usage", 2, file, '"broken line"'),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a pod manifest stands alone", () => {
  assert.equal(manifestFile(words("--pod-manifest=/p.json")), "/p.json");
  assert.equal(manifestFile(words("busybox")), undefined);
  const beside = (...given: string[]) =>
    assert.throws(
      () => manifestFile(words("--pod-manifest=/p", ...given)),
      refusal("Usage", 2, "conflicts with --pod-manifest"),
    );
  beside("busybox");
  beside("--name=web");
  beside("--net=host");
  beside("--volume=v,kind=empty");
  beside("--interactive");
  beside("--memory=1G");
});

const BAD: readonly (readonly [what: string, words: string[], texts: string[]])[] = [
  ["no image", [], ["at least one image"]],
  ["a volume without kind", ["--volume=v", "x"], ["--volume", '"v"', "unrecognized volume kind"]],
  ["an unknown parameter", ["--volume=v,kind=empty,size=1", "x"], ['unknown volume parameter "size"']],
  ["a repeated parameter", ["--volume=v,kind=empty,kind=host", "x"], ['"kind" is given twice']],
  ["no source", ["--volume=v,kind=host", "x"], ["source for host volume cannot be empty"]],
  ["a boolean that is none", ["--volume=v,kind=empty,readOnly=1", "x"], ['"1" is neither true nor false']],
  ["a mount without target", ["--mount=volume=v", "x"], ["volume and target must be set"]],
  ["an unknown mount parameter", ["--mount=volume=v,target=/,ro=1", "x"], ['unknown mount parameter "ro"']],
  ["a variable without =", ["--set-env=A", "x"], ['--set-env "A" must be specified as NAME=VALUE']],
  ["a variable without name", ["x", "--environment==b"], ['--environment "=b"']],
  ["a variable twice", ["--set-env=A=1", "--set-env=A=2", "x"], ['"A" is set twice']],
  [
    "a file that is not there",
    ["--set-env-file=/nope", "x"],
    ['"/nope" cannot be read: no such file or directory'],
  ],
  [
    "both capability sets",
    ["x", "--caps-retain=CAP_KILL", "--caps-remove=CAP_KILL"],
    ["cannot use both --caps-retain and --caps-remove"],
  ],
  ["a seccomp mode", ["x", "--seccomp=mode=allow,read"], ["mode must be retain or remove"]],
  ["a group that is no number", ["x", "--supplementary-gids=1,adm"], ['"adm" is not a number']],
  ["a memory limit that is none", ["--memory=foo", "x"], ["--memory", '"foo"', "not a quantity"]],
  ["a CPU limit that is none", ["x", "--cpu=x"], ["--cpu", '"x"', "not a quantity"]],
  ["a limit of processes that is none", ["--pids=many", "x"], ["--pids", '"many"']],
  ["a weight that is none", ["x", "--cpu-shares=much"], ["--cpu-shares", '"much"', "not a number"]],
  ["an empty network", ["--net=a,,b", "x"], ["must not be empty"]],
];

for (const [what, given, texts] of BAD) {
  test(`refuses ${what}`, () => {
    assert.throws(() => request(...given), refusal("Usage", 2, ...texts));
  });
}
