import assert from "node:assert/strict";
import { test } from "node:test";
import type { ImageApp } from "../../../src/image/record.ts";
import { PodManifest } from "../../../src/pod/manifest.ts";
import { manifestOfRequest, reifyManifest } from "../../../src/pod/reify.ts";
import type { AppRequestInput } from "../../../src/pod/request.ts";
import { IMAGE_ID, imageRecord, podRequest } from "../../fixtures/pods.ts";
import { refusal } from "../../fixtures/refusal.ts";

function appOf(
  request: Partial<AppRequestInput>,
  image: Partial<ImageApp> = {},
  kind: "oci" | "appc" = "oci",
) {
  const images = new Map([["front", imageRecord(image, { kind })]]);
  const manifest = manifestOfRequest(podRequest({ apps: [{ image: "front", ...request }] }), images);
  return manifest.apps[0]?.app;
}

test("Docker's rules of command lines", () => {
  assert.deepEqual(appOf({})?.exec, ["/bin/front", "--serve"]);
  assert.deepEqual(appOf({ args: ["a", "b"] })?.exec, ["/bin/front", "a", "b"]);
  assert.deepEqual(appOf({ args: [] })?.exec, ["/bin/front"]);
  assert.deepEqual(appOf({ exec: "/bin/sh" })?.exec, ["/bin/sh"], "a new entrypoint clears Cmd");
  assert.deepEqual(appOf({ exec: "/bin/sh", args: ["-c", "x"] })?.exec, ["/bin/sh", "-c", "x"]);
  assert.deepEqual(
    appOf({ exec: "", args: ["id"] })?.exec,
    ["id"],
    "an empty entrypoint is not one left out",
  );
});

test("the environment: inherited, image, pod, app, each over the one before", () => {
  const images = new Map([
    [
      "front",
      imageRecord({
        environment: [
          { name: "B", value: "image" },
          { name: "C", value: "image" },
        ],
      }),
    ],
  ]);
  const of = (name: string, value: string) => ({ name, value });
  const request = podRequest({
    inherited: [of("A", "caller"), of("B", "caller")],
    environment: [of("C", "pod"), of("D", "pod")],
    apps: [{ image: "front", environment: [of("D", "app")] }],
  });
  const variables = manifestOfRequest(request, images).apps[0]?.app?.environment;
  assert.deepEqual(variables, [of("A", "caller"), of("B", "image"), of("C", "pod"), of("D", "app")]);
});

test("a working directory is absolute, whatever an image says", () => {
  assert.equal(appOf({}, { workingDirectory: "" })?.workingDirectory, "/");
  assert.equal(appOf({}, { workingDirectory: "data/x/" })?.workingDirectory, "/data/x");
  assert.equal(appOf({}, { workingDirectory: "/a/../../etc" })?.workingDirectory, "/etc");
  assert.equal(appOf({ workingDirectory: "/tmp" })?.workingDirectory, "/tmp");
});

test("a user without a group takes the group of that user, but in appc", () => {
  assert.deepEqual([appOf({ user: "web" })?.user, appOf({ user: "web" })?.group], ["web", ""]);
  const appc = appOf({ user: "web" }, { user: "0", group: "adm" }, "appc");
  assert.deepEqual([appc?.user, appc?.group], ["web", "adm"]);
  assert.equal(appOf({})?.user, "0", "nothing said is root");
});

test("an isolator of the user replaces the image's of its family", () => {
  const image = { isolators: [{ name: "os/linux/capabilities-retain-set", value: { set: ["CAP_KILL"] } }] };
  const own = { name: "os/linux/capabilities-remove-set", value: { set: ["CAP_CHOWN"] } };
  assert.deepEqual(appOf({ isolators: [own] }, image)?.isolators, [own]);
  assert.deepEqual(appOf({}, image)?.isolators, image.isolators);
});

test("an app's mount of a path beats the pod's", () => {
  const images = new Map([["front", imageRecord()]]);
  const request = podRequest({
    mounts: [
      { volume: "all", path: "/a" },
      { volume: "all", path: "/b" },
    ],
    apps: [{ image: "front", mounts: [{ volume: "own", path: "/a" }] }],
  });
  assert.deepEqual(manifestOfRequest(request, images).apps[0]?.mounts, [
    { volume: "all", path: "/b" },
    { volume: "own", path: "/a" },
  ]);
});

test("a terminal brings TERM; the image's own TERM stays", () => {
  const images = new Map([["front", imageRecord()]]);
  const app = manifestOfRequest(podRequest({ terminal: true, stdin: true, term: "vt100" }), images).apps[0];
  assert.equal(app?.terminal, true);
  assert.equal(app?.stdin, "null", "the terminal is its standard input");
  assert.ok(app?.app?.environment.some(({ name, value }) => name === "TERM" && value === "vt100"));
});

test("refuses interaction with two apps", () => {
  const images = new Map([["front", imageRecord()]]);
  const request = podRequest({ stdin: true, apps: [{ image: "front" }, { image: "front", name: "b" }] });
  assert.throws(() => manifestOfRequest(request, images), refusal("Usage", 2, "only a pod of one app"));
});

test("refuses names", () => {
  const images = new Map([["front", imageRecord()]]);
  const named = (name: string) => () => manifestOfRequest(podRequest({ name }), images);
  assert.throws(named("a\nb"), refusal("Usage", 2, '"a\\x0ab" is not a name for a pod'));
  assert.throws(() => appOf({ name: "A" }), refusal("Usage", 2, '"A" is not a name for an app'));
});

test("a written manifest gets its images' apps and ids", () => {
  const images = new Map([["front:1", imageRecord()]]);
  const given = PodManifest.parse({
    acKind: "PodManifest",
    acVersion: "0.8.11",
    apps: [{ name: "one", image: { id: "front:1" }, args: ["x"] }],
  });
  const [app] = reifyManifest(given, images).apps;
  assert.equal(app?.image.id, IMAGE_ID);
  assert.deepEqual(app?.app?.exec, ["/bin/front", "x"]);
  assert.equal(app?.args, undefined);
});

test("a written manifest cannot call an image what it is not called", () => {
  const image = imageRecord({}, { names: ["registry.example/front:1.0", "registry.example/front:latest"] });
  const named = (name: string) => {
    const apps = [{ name: "one", image: { id: "front", name } }];
    const manifest = PodManifest.parse({ acKind: "PodManifest", acVersion: "0.8.11", apps });
    return reifyManifest(manifest, new Map([["front", image]])).apps[0]?.image.name;
  };
  assert.equal(named("registry.example/front:latest"), "registry.example/front:latest");
  assert.equal(named("registry.example/trusted:1.0"), "registry.example/front:1.0");
});

test("refuses args beside app, and images that are not there", () => {
  const own = { exec: ["/x"], user: "0", group: "0" };
  const manifest = (app: object) =>
    PodManifest.parse({
      acKind: "PodManifest",
      acVersion: "0.8.11",
      apps: [{ name: "one", image: { id: "front" }, ...app }],
    });
  const images = new Map([["front", imageRecord()]]);
  assert.throws(
    () => reifyManifest(manifest({ app: own, args: ["x"] }), images),
    refusal("BadManifest", 1, 'app "one"'),
  );
  assert.throws(() => reifyManifest(manifest({}), new Map()), refusal("NoSuchImage", 4, '"front"'));
});
