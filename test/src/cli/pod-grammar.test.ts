import assert from "node:assert/strict";
import { test } from "node:test";
import { argumentsHint, parsePodWords } from "../../../src/cli/pod-grammar.ts";
import { APP_OPTIONS, POD_OPTIONS } from "../../../src/cli/pod-options.ts";
import { refusal } from "../../fixtures/refusal.ts";

function parse(...words: string[]) {
  return parsePodWords(words, { pod: POD_OPTIONS, app: APP_OPTIONS });
}

/** Images with their arguments. */
const images = (...words: string[]) => parse(...words).apps.map(({ image, args }) => [image, args]);

test("images and the arguments behind them", () => {
  assert.deepEqual(images("a", "b"), [
    ["a", undefined],
    ["b", undefined],
  ]);
  assert.deepEqual(images("a", "--", "x", "--flag", "--"), [["a", ["x", "--flag", "--"]]]);
  assert.deepEqual(images("a", "--", "x", "---", "b", "--", "y"), [
    ["a", ["x"]],
    ["b", ["y"]],
  ]);
  assert.deepEqual(images("a", "--"), [["a", []]]);
  assert.deepEqual(images("---", "a", "---"), [["a", undefined]], "a stray --- is ignored");
  assert.deepEqual(images("a", "--", "---", "-"), [
    ["a", []],
    ["-", undefined],
  ]);
});

test("--name is the pod's before the first image and the app's after one", () => {
  const { options, apps } = parse("--name=web", "a", "--name", "one", "b", "--name=two");
  assert.equal(options.value("name"), "web");
  assert.deepEqual(
    apps.map((app) => app.options.value("name")),
    ["one", "two"],
  );
});

test("values with = in them, empty values, repeated options, switches", () => {
  const { options, apps } = parse(
    "--set-env=A=b=c",
    "--set-env",
    "B=",
    "a",
    "--exec=",
    "--readonly-rootfs=false",
  );
  assert.deepEqual(options.values("set-env"), ["A=b=c", "B="]);
  assert.equal(apps[0]?.options.value("exec"), "");
  assert.equal(apps[0]?.options.flag("readonly-rootfs"), false);
  assert.equal(options.value("net"), undefined);
  assert.equal(parse("--net", "a").options.value("net"), "", "an optional value needs the =");
});

const BAD: readonly (readonly [what: string, words: string[], text: string])[] = [
  ["arguments before an image", ["--", "x"], "an image is required before any app arguments"],
  ["a second set", ["a", "--", "x", "---", "--", "y"], "only one set of app arguments allowed per image"],
  ["an app's option before an image", ["--exec=/x", "a"], "--exec must follow an image"],
  [
    "a pod's option after an image",
    ["a", "--net=none"],
    "--net is the pod's and must stand before the first image",
  ],
  ["an unknown option", ["--nope", "a"], 'unknown option "--nope"'],
  ["an unknown option of an app", ["a", "--nope=1"], 'unknown option "--nope"'],
  ["an option with escapes", ["--a\u001b[2Jb", "a"], 'unknown option "--a\\x1b[2Jb"'],
  ["one dash", ["-net", "a"], 'unknown option "-net"'],
  ["a missing value", ["--hostname"], "--hostname wants a value: NAME"],
  ["a value of a switch", ["--inherit-env=yes", "a"], "--inherit-env takes no value but true or false"],
  ["a choice that is none", ["--userns=private", "a"], "--userns=private is none of pod, host"],
  ["two names of the pod", ["--name=a", "--name=b", "x"], "--name specified multiple times for the pod"],
  ["two programs", ["a", "--exec=/x", "--exec=/y"], "--exec specified multiple times for the same image"],
];

test("arguments without their mark are recognized by what they are taken for", () => {
  const hint = (words: string[], at: number) => argumentsHint(parse(...words).apps, at);
  assert.equal(hint(["a", "echo", "hi"], 1), "arguments of an app go behind --: a -- echo …");
  assert.equal(hint(["a", "--", "x", "---", "echo"], 1), undefined, "the app has its arguments");
  assert.equal(hint(["a"], 0), undefined, "the first image is no argument");
  assert.equal(hint(["a"], -1), undefined);
});

for (const [what, words, text] of BAD) {
  test(`refuses ${what}`, () => {
    assert.throws(() => parse(...words), refusal("Usage", 2, text));
  });
}
