/** The TypeScript half as a process: statuses, texts, help. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { verbHelp } from "../../../src/cli/help.ts";
import { APP_OPTIONS, POD_OPTIONS } from "../../../src/cli/pod-options.ts";
import { findVerb, VERBS } from "../../../src/cli/verbs.ts";
import { refusal } from "../../fixtures/refusal.ts";

type Answer = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

const directory = mkdtempSync(join(tmpdir(), "gantry-main-"));
chmodSync(directory, 0o755);
const BUNDLE = join(directory, "cli.cjs");
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));

await build({
  entryPoints: ["src/cli/main.ts"],
  outfile: BUNDLE,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  external: ["x11", "*.node"],
  logLevel: "silent",
});

function gantry(words: readonly string[], options: { user?: number; front?: boolean } = {}): Answer {
  const asUser = options.user === undefined ? [] : ["setpriv", `--reuid=${options.user}`, "--clear-groups"];
  // As the front does it: the write end of a pipe is descriptor 3.
  const behindPipe = options.front ? ["bash", "-c", '"$@" 3> >(cat)', "bash"] : [];
  const [command = "", ...rest] = [...behindPipe, ...asUser, process.execPath, BUNDLE, ...words];
  const { status, stdout, stderr } = spawnSync(command, rest, { encoding: "utf8" });
  return { status, stdout, stderr };
}

test("no verb, an unknown one, and one that may be several are usage errors", () => {
  const cases: [string[], RegExp][] = [
    [[], /^gantry: which verb\?\nhint: gantry help\n$/],
    [["frobnicate"], /^gantry: unknown verb "frobnicate"\n/],
    [["ru"], /^gantry: "ru" may mean run, run-prepared\n$/],
    [["image"], /^gantry: gantry image what\?\nhint: there is: /],
    [["image", "frob"], /^gantry: unknown verb "image frob"\n/],
    [["i"], /^gantry: "i" may mean image, install\n$/],
    [["e"], /^gantry: "e" may mean enter, exec\n$/],
    [["trust", "lst"], /^gantry: unknown verb "trust lst"\nhint: there is: .*gantry trust list/],
    [["help", "trust", "lst"], /^gantry: unknown verb "trust lst"\n/],
    [["evil\u001b[2J\n"], /^gantry: unknown verb "evil\\x1b\[2J\\x0a"\n/],
    [["--nope", "list"], /^gantry: unknown option "--nope"\n$/],
    [["ps"], /^gantry: unknown verb "ps"\nhint: gantry list; gantry help lists the verbs\n$/],
    [["list", "--nope"], /^gantry: unknown option "--nope"\nhint: gantry list --help\n$/],
    [["list", "-q"], /^gantry: unknown option "-q"\nhint: --format=FORMAT, see gantry list --help\n$/],
    [["logs", "-f", "x"], /^gantry: unknown option "-f"\nhint: --follow, /],
    [["rm", "-f", "x"], /^gantry: unknown option "-f"\nhint: --force, /],
    [["rm", "-p", "x"], /^gantry: unknown option "-p"\nhint: gantry rm --help\n$/],
    [["run", "-d", "x"], /^gantry: unknown option "-d"\nhint: --detach, see gantry run --help\n$/],
    [["run", "-it", "x"], /\nhint: --interactive, /],
    [["run", "-e", "A=b", "x"], /\nhint: --set-env=NAME=VALUE, /],
    [["run", "x", "-e", "A=b"], /\nhint: --environment=NAME=VALUE, /],
    [["run", "--rm", "x"], /\nhint: .*gantry gc/],
    [["prepare", "-p", "80:80", "x"], /\nhint: .*--net=host\n$/],
    [["run", "--exec=/bin/sh", "x"], /^gantry: --exec must follow an image\n$/],
    [["run", "x", "ls", "-l"], /^gantry: unknown option "-l"\nhint: .* behind --: x -- ls …\n$/],
    [["completion", "constructor"], /^gantry: "constructor" is none of bash, fish, zsh, pods, images\n/],
    [["list", "extra"], /^gantry: "extra" is too much\nhint: usage: gantry list /],
    [["status"], /^gantry: gantry status wants more than that\n/],
    [["list", "--format=xml"], /^gantry: --format=xml is none of table, json\n/],
    [["list", "--full", "--format=json", "--format=json"], /^gantry: --format is given twice\n/],
  ];
  for (const [words, text] of cases) {
    const { status, stdout, stderr } = gantry(words);
    assert.deepEqual([status, stdout], [2, ""], JSON.stringify(words));
    assert.match(stderr, text);
  }
});

test("what only root may do says so to everybody else", () => {
  const cases: [string[], RegExp][] = [
    [["run", "x"], /^gantry: only root runs a pod in the foreground\nhint: gantry run --detach /],
    [
      ["run-prepared", "x"],
      /^gantry: only root runs a pod in the foreground\nhint: gantry run-prepared --detach /,
    ],
    [["gc", "--dry-run"], /^gantry: gantry gc --dry-run needs root\nhint: sudo gantry gc /],
    [["image", "gc"], /^gantry: gantry image gc needs root\nhint: sudo gantry image gc /],
    [["--dir=/elsewhere", "list"], /^gantry: only root may work on "\/elsewhere"\n$/],
  ];
  for (const [words, text] of cases) {
    const { status, stdout, stderr } = gantry(words, { user: 65_534 });
    assert.match(stderr, text);
    assert.deepEqual([status, stdout], [6, ""], words.join(" "));
  }
});

test("help and version need nobody", () => {
  const help = gantry(["help"], { user: 65_534 });
  assert.equal(help.status, 0);
  for (const name of Object.keys(VERBS)) assert.match(help.stdout, new RegExp(`^  ${name} `, "m"));
  assert.equal(gantry(["--help"]).stdout, help.stdout);
  assert.match(gantry(["--version"]).stdout, /^gantry \d+\.\d+\.\d+\n$/);
  assert.equal(gantry(["run", "--help"]).stdout, gantry(["help", "run"]).stdout);
});

test("what the native half does, and what is only a family, have a help too", () => {
  for (const verb of ["exec", "enter", "image"]) {
    const { status, stdout, stderr } = gantry([verb, "--help"]);
    assert.deepEqual([status, stderr, stdout], [0, "", gantry(["help", verb]).stdout], verb);
    assert.match(stdout, new RegExp(`^Usage: gantry ${verb} `));
  }
  assert.match(
    gantry(["exec", "--help"]).stdout,
    /^ {2}--app=.*^ {2}--user=.*^ {2}--interactive .*-i.*^ {2}--tty .*-t/ms,
  );
  assert.match(gantry(["image", "--help"]).stdout, /^Verbs:\n {2}image build .*^ {2}image list /ms);
  const { status, stderr } = gantry(["exec", "x", "sh", "--unknown"]);
  assert.equal(status, 125);
  assert.match(stderr, /^gantry: gantry exec launches through its native half, which is not there\n/);
});

test("every verb explains each of its options", async () => {
  for (const [name, load] of Object.entries(VERBS)) {
    const verb = await load();
    assert.equal(verb.name, name);
    assert.match(verb.summary, /^[a-z]/, name);
    const text = verbHelp(verb);
    for (const option of verb.options)
      assert.ok(text.includes(`--${option.name}`) && option.help !== "", option.name);
    assert.ok(text.startsWith(`Usage: gantry ${name}`));
  }
});

test("what a pod and an app may both have says whose it is", () => {
  for (const { name, help } of POD_OPTIONS.filter((pod) => APP_OPTIONS.some((app) => app.name === pod.name)))
    assert.notEqual(help, APP_OPTIONS.find((app) => app.name === name)?.help, name);
});

test("a beginning of a verb that fits only one is the verb", async () => {
  assert.equal((await findVerb(["im", "li", "x"])).verb.name, "image list");
  assert.deepEqual((await findVerb(["im", "li", "x"])).words, ["x"]);
  assert.equal((await findVerb(["ver"])).verb.name, "version");
  assert.equal((await findVerb(["trust", "list"])).verb.name, "trust list");
  assert.deepEqual((await findVerb(["tr", "key.asc"])).words, ["key.asc"], "trust is a verb itself");
  assert.equal((await findVerb(["trust", "--prefix=x", "add"])).verb.name, "trust");
  assert.equal((await findVerb(["trust"])).verb.name, "trust");
  assert.equal((await findVerb(["run"])).verb.name, "run", "a whole name is no beginning");
  await assert.rejects(findVerb(["st"]), refusal("Usage", 2, "start, status, stop"));
});

test("what launches refuses to prepare when nobody would launch", () => {
  const data = join(directory, "data");
  const expected = { run: 125, "run-prepared": 125, start: 1 };
  for (const [verb, failed] of Object.entries(expected)) {
    const { status, stderr } = gantry([`--dir=${data}`, verb, "x"]);
    assert.equal(status, failed, verb);
    assert.match(
      stderr,
      new RegExp(`^gantry: gantry ${verb} launches through its native half, which is not there\n`),
    );
  }
  assert.equal(readdirSync(directory).includes("data"), false);
});

test("failures of a run tell themselves apart: usage 2, no image 4, Gantry's own 125", () => {
  const data = `--dir=${join(directory, "empty")}`;
  const run = (...words: string[]) => gantry([data, "run", ...words], { front: true });
  const cases: [Answer, number, RegExp][] = [
    [run(), 2, /at least one image\nhint: usage: gantry run\|prepare \[/],
    [run("--net=bridge", "nope"), 4, /"nope"/],
    [run("nope", "echo"), 4, /"nope"/],
    [run("--name=Bad", "nope"), 4, /"nope"/],
    [run("--detach", "--interactive", "x"), 2, /--detach and --interactive exclude each other/],
    [run("--pod-manifest=/nope.json"), 2, /"\/nope.json" cannot be read: no such file or directory/],
    [run("--pull-policy=never", "docker://registry.example/x"), 4, /registry.example/],
    [run(...Array(65).fill("x").join(" --- ").split(" ")), 2, /apps: a pod has at most 64 apps/],
  ];
  for (const [{ status, stderr }, expected, text] of cases) {
    assert.match(stderr, text);
    assert.equal(status, expected, stderr);
  }
});

test("files that are not there are told in words, and without an option that nobody gave", () => {
  const install = gantry(["install", "/nope.json"]);
  assert.deepEqual(
    [install.status, install.stderr],
    [2, 'gantry: "/nope.json" cannot be read: no such file or directory\n'],
  );
  const key = gantry(["trust", "add", "--prefix=example.com", "/nope.asc"]);
  assert.equal(key.status, 2);
  assert.match(key.stderr, /^gantry: key "\/nope.asc" cannot be read: no such file or directory\n/);
});

test("output that nobody can take is a failure with its reason, also where it goes to standard error", () => {
  const into = (redirection: string) =>
    spawnSync("bash", ["-c", `"$@" ${redirection}`, "bash", process.execPath, BUNDLE, "help"], {
      encoding: "utf8",
    });
  const full = into(">/dev/full");
  assert.deepEqual([full.status, full.stderr], [1, "gantry: standard output: no space left on device\n"]);
  assert.equal(into(">/dev/full 2>/dev/full").status, 1);
});

test("pods that are not there", () => {
  const data = `--dir=${join(directory, "none")}`;
  for (const verb of ["status", "cat-manifest", "stop", "rm", "kill", "logs"]) {
    const { status, stderr } = gantry([data, verb, "no-such"]);
    assert.deepEqual([status, stderr.split("\n")[0]], [4, 'gantry: there is no pod "no-such"'], verb);
  }
  const several = gantry([data, "rm", "one", "two"]);
  assert.equal(several.status, 4);
  assert.match(several.stderr, /"one"\n.*"two"\n/s);
});

test("an empty list", () => {
  const data = `--dir=${join(directory, "none")}`;
  assert.equal(gantry([data, "list", "--format=json"]).stdout, "[]\n");
  assert.match(gantry([data, "list"]).stdout, /^UUID {2}POD {2}APP/);
  assert.equal(gantry([data, "list", "--no-legend"]).stdout, "");
});
