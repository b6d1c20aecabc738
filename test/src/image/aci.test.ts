/** Image manifests of ACIs (appc 0.8.11). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { quoted } from "../../../src/base/text.ts";
import {
  manifestApp,
  manifestLabels,
  manifestName,
  manifestPlatform,
  parseImageManifest,
} from "../../../src/image/aci.ts";
import { refusal } from "../../fixtures/refusal.ts";

const HOST = { os: "linux", architecture: "amd64" };

function text(change: Record<string, unknown> = {}): string {
  return JSON.stringify({ acKind: "ImageManifest", acVersion: "0.8.11", name: "example.com/app", ...change });
}

function app(change: Record<string, unknown>): string {
  return text({ app: { exec: ["/a"], user: "0", group: "0", ...change } });
}

const parse = (manifest: string) => parseImageManifest(manifest, '"/srv/x.aci"');

test("a manifest without an app has no command and is root's", () => {
  const { entrypoint, cmd, user, group, workingDirectory } = manifestApp(parse(text()));
  assert.deepEqual([entrypoint, cmd, user, group, workingDirectory], [[], [], "0", "0", "/"]);
});

test("an app is read with everything it says", () => {
  const manifest = parse(
    text({
      app: {
        exec: ["/a", "-b"],
        user: "web",
        group: "/etc/passwd",
        supplementaryGids: [4, 5],
        workingDirectory: "/srv",
        environment: [{ name: "A.b-c", value: "1" }],
        mountPoints: [{ name: "data", path: "/data", readOnly: true }],
        ports: [{ name: "http", protocol: "tcp", port: 80, count: 2 }],
        isolators: [{ name: "resource/memory", value: { limit: "1M" } }],
        userLabels: { any: "thing" },
      },
      annotations: [{ name: "appc.io/executor/supports-systemd-notify", value: "true" }],
      unknown: { fields: "are ignored" },
    }),
  );
  assert.deepEqual(manifestApp(manifest), {
    entrypoint: ["/a", "-b"],
    cmd: [],
    environment: [{ name: "A.b-c", value: "1" }],
    user: "web",
    group: "/etc/passwd",
    supplementaryGids: [4, 5],
    workingDirectory: "/srv",
    stopSignal: "SIGTERM",
    mountPoints: [{ name: "data", path: "/data", readOnly: true }],
    ports: [{ name: "http", protocol: "tcp", port: 80, count: 2 }],
    isolators: [{ name: "resource/memory", value: { limit: "1M" } }],
    notifies: true,
  });
});

test("labels give name, version and platform in Go's words", () => {
  const labels = [
    { name: "version", value: "1.0" },
    { name: "os", value: "linux" },
    { name: "arch", value: "armv7l" },
  ];
  const manifest = parse(text({ labels }));
  assert.equal(manifestName(manifest), "example.com/app:1.0");
  assert.deepEqual(manifestLabels(manifest), { version: "1.0", os: "linux", arch: "armv7l" });
  assert.deepEqual(manifestPlatform(manifest, HOST), { os: "linux", architecture: "arm", variant: "v7" });
  assert.deepEqual(manifestPlatform(parse(text()), HOST), HOST);
  const odd = parse(text({ labels: [{ name: "arch", value: "constructor" }] }));
  assert.deepEqual(manifestPlatform(odd, HOST), { os: "linux", architecture: "constructor" });
  const darwin = parse(text({ labels: [{ name: "os", value: "darwin" }] }));
  assert.throws(
    () => manifestPlatform(darwin, HOST),
    refusal("Unsupported", 1, "example.com/app", '"darwin"'),
  );
});

const WRONG: readonly (readonly [name: string, manifest: string, text: string])[] = [
  ["no JSON, with line and column", '{\n  "acKind": "x",}', 'line 2, column 17: "  "acKind'],
  ["no JSON, with the text around", '{\n  "acKind": }', "Unexpected token '}'"],
  ["another kind", text({ acKind: "PodManifest" }), 'acKind must be "ImageManifest"'],
  ["no acVersion", text({ acVersion: undefined }), "acVersion must be set"],
  ["a wrong acVersion", text({ acVersion: "1" }), "acVersion must be a semantic version"],
  ["another major version", text({ acVersion: "1.0.0" }), "1.0.0"],
  ["no name", text({ name: undefined }), "name must be set"],
  ["a wrong name", text({ name: "Example.com" }), '"Example.com"'],
  ["a label called name", text({ labels: [{ name: "name", value: "x" }] }), 'invalid label name: "name"'],
  [
    "a label twice",
    text({
      labels: [
        { name: "a", value: "1" },
        { name: "a", value: "2" },
      ],
    }),
    'duplicate label "a"',
  ],
  [
    "an annotation twice",
    text({
      annotations: [
        { name: "a", value: "1" },
        { name: "a", value: "2" },
      ],
    }),
    'duplicate annotation "a"',
  ],
  ["no user", app({ user: undefined }), "user is required"],
  ["no group", app({ group: "" }), "group is required"],
  [
    "a relative working directory",
    app({ workingDirectory: "srv" }),
    "workingDirectory must be an absolute path",
  ],
  [
    "a variable twice",
    app({
      environment: [
        { name: "A", value: "" },
        { name: "A", value: "" },
      ],
    }),
    'duplicate environment variable "A"',
  ],
  ["a variable's name", app({ environment: [{ name: "A B", value: "" }] }), '"A B"'],
  ["a port of 0", app({ ports: [{ name: "a", protocol: "tcp", port: 0 }] }), "app.ports.0.port"],
  [
    "a port range past the end",
    app({ ports: [{ name: "a", protocol: "tcp", port: 65535, count: 2 }] }),
    "above 65535",
  ],
  ["a mount point without path", app({ mountPoints: [{ name: "a" }] }), "app.mountPoints.0.path"],
  ["a mount point's name", app({ mountPoints: [{ name: "a/b", path: "/a" }] }), '"a/b"'],
  [
    "two handlers of one name",
    app({
      eventHandlers: [
        { name: "pre-start", exec: [] },
        { name: "pre-start", exec: [] },
      ],
    }),
    'Only one eventHandler of name "pre-start" allowed',
  ],
  ["a dependency without a name", text({ dependencies: [{ labels: [] }] }), "imageName"],
  ["a dependency's name", text({ dependencies: [{ imageName: "a--b" }] }), '"a--b" is no identifier'],
  ["an image id's form", depends({ imageID: "sha512" }), '"sha512": badly formatted hash string'],
  ["an image id of three parts", depends({ imageID: "sha512-a-b" }), "badly formatted hash string"],
  ["an image id without type", depends({ imageID: "-ab" }), "empty hash type"],
  ["an image id of another type", depends({ imageID: "sha256-ab" }), "unrecognized hash type"],
  ["an image id without value", depends({ imageID: "sha512-" }), "empty hash value"],
  ["a short image id", depends({ imageID: "sha512-ab" }), "a sha512 has 128 lowercase hexadecimal digits"],
  ["a negative size", depends({ size: -1 }), "size"],
  [
    "a label twice in a dependency",
    depends({ labels: ["1", "2"].map((value) => ({ name: "version", value })) }),
    'duplicate label "version" of the dependency "example.com/base"',
  ],
  [
    "more dependencies than anybody needs",
    text({ dependencies: Array.from({ length: 65 }, (_, at) => ({ imageName: `example.com/${at}` })) }),
    "more than 64 dependencies",
  ],
  [
    "an isolator that nests without end",
    app({ isolators: [{ name: "x", value: "DEEP" }] }).replace(
      '"DEEP"',
      "[".repeat(300_000) + "]".repeat(300_000),
    ),
    '"app.isolators.0.value": nests deeper than 32',
  ],
  ...["1\u001b]0;x\u0007", "1\u009b2J", "1\u202e2", "1\ud800"].map((value): (typeof WRONG)[number] => [
    `the label ${quoted(value)}`,
    text({ labels: [{ name: "version", value }] }),
    '"labels.0.value": "1',
  ]),
  [
    "such a label of a dependency",
    depends({ labels: [{ name: "version", value: "1\n2" }] }),
    '"1\\x0a2" cannot be printed',
  ],
  ["a relative path in the whitelist", text({ pathWhitelist: ["etc"] }), "must be an absolute path"],
];

function depends(dependency: object): string {
  return text({ dependencies: [{ imageName: "example.com/base", ...dependency }] });
}

test("dependencies and whitelists are read", () => {
  const imageID = `sha512-${"a".repeat(128)}`;
  const labels = [{ name: "version", value: "1" }];
  const whole = { imageName: "example.com/base", imageID, labels, size: 12 };
  const manifest = parse(text({ dependencies: [whole, { imageName: "b" }], pathWhitelist: ["/etc/"] }));
  assert.deepEqual(manifest.dependencies, [whole, { imageName: "b" }]);
  assert.deepEqual(manifest.pathWhitelist, ["/etc/"]);
});

for (const [name, manifest, message] of WRONG) {
  test(`refuses ${name}`, () => {
    assert.throws(() => parse(manifest), refusal("BadImage", 1, '"/srv/x.aci"', message));
  });
}

const UNSUPPORTED: readonly (readonly [manifest: string, text: string])[] = [
  [app({ eventHandlers: [{ name: "post-stop", exec: ["/a"] }] }), "post-stop event handler"],
  [
    app({ ports: [{ name: "a", protocol: "tcp", port: 1, socketActivated: true }] }),
    'socket-activated port "a"',
  ],
  [app({ ports: [{ name: "a", protocol: "dccp", port: 1 }] }), '"dccp"'],
];

for (const [manifest, message] of UNSUPPORTED) {
  test(`does not ignore ${message}`, () => {
    assert.throws(() => parse(manifest), refusal("Unsupported", 1, '"/srv/x.aci"', message));
  });
}

test("null and empty lists are absent ones", () => {
  const manifest = parse(
    text({ labels: null, dependencies: null, pathWhitelist: [], annotations: null, app: null }),
  );
  assert.equal(manifestName(manifest), "example.com/app");
});
