import assert from "node:assert/strict";
import { test } from "node:test";
import type { ImageApp, ImageRecord } from "../../../src/image/record.ts";
import { manifestOfRequest } from "../../../src/pod/reify.ts";
import type { PodRequestInput } from "../../../src/pod/request.ts";
import { resolveVolumes } from "../../../src/pod/volumes.ts";
import { imageRecord, podRequest } from "../../fixtures/pods.ts";
import { refusal } from "../../fixtures/refusal.ts";

function resolve(
  request: Partial<PodRequestInput>,
  image: Partial<ImageApp> = {},
  kind: ImageRecord["kind"] = "oci",
) {
  const record = imageRecord(image, { kind });
  const images = new Map([
    ["front", record],
    [record.id, record],
  ]);
  return resolveVolumes(manifestOfRequest(podRequest(request), images), { podDirectory: "/pods/u", images });
}

const HOST = { name: "data", kind: "host", source: "/srv" } as const;
const EMPTY = { name: "tmp", kind: "empty" } as const;

test("host and empty volumes, outer targets first", () => {
  const mounts = [
    { volume: "tmp", path: "/data/inner/" },
    { volume: "data", path: "//data" },
  ];
  const { byApp, empty, host, implicit } = resolve({ volumes: [HOST, EMPTY], mounts });
  assert.deepEqual(byApp.get("front"), [
    { path: "/data", source: "/srv", readOnly: false, recursive: true, copied: false },
    { path: "/data/inner", source: "/pods/u/volumes/tmp", readOnly: false, recursive: false, copied: false },
  ]);
  assert.deepEqual(host, [{ name: "data", source: "/srv" }]);
  assert.deepEqual(
    empty.map(({ name, directory, mode }) => [name, directory, mode]),
    [["tmp", "volumes/tmp", "0755"]],
  );
  assert.deepEqual(implicit, []);
});

test("read-only: the volume's word, else the mount point's", () => {
  const point = { name: "data", path: "/data", readOnly: true };
  const of = (volume: object) =>
    resolve({ volumes: [{ ...HOST, ...volume }] }, { mountPoints: [point] }).byApp.get("front")?.[0]
      ?.readOnly;
  assert.equal(of({}), true);
  assert.equal(of({ readOnly: false }), false);
  const own = { volumes: [{ ...HOST, name: "x" }], mounts: [{ volume: "x", path: "/data" }] };
  assert.equal(resolve(own, { mountPoints: [point] }).byApp.get("front")?.[0]?.readOnly, true);
});

for (const kind of ["appc", "oci", "docker"] as const) {
  test(`a mount point without a volume gets one of the app's own: ${kind}`, () => {
    const mountPoints = [{ name: "db", path: "/var/db", readOnly: false }];
    const apps = [{ image: "front" }, { image: "front", name: "b" }];
    const copied = kind !== "appc";
    const { byApp, empty, implicit } = resolve({ apps }, { mountPoints }, kind);
    assert.equal(byApp.get("front")?.[0]?.copied, copied);
    assert.equal(byApp.get("front")?.[0]?.source, "/pods/u/volumes/front.db");
    assert.equal(byApp.get("b")?.[0]?.source, "/pods/u/volumes/b.db");
    assert.equal(empty.length, copied ? 0 : 2, "stage1 makes those that are copied");
    assert.deepEqual(implicit, [
      { app: "front", path: "/var/db", copied },
      { app: "b", path: "/var/db", copied },
    ]);
  });
}

test("what is named an empty volume is empty, whatever the image has there", () => {
  const image = { mountPoints: [{ name: "tmp", path: "/data", readOnly: false }] };
  const { byApp, empty, implicit } = resolve({ volumes: [EMPTY] }, image);
  assert.equal(byApp.get("front")?.[0]?.copied, false);
  assert.equal(empty.length, 1);
  assert.deepEqual(implicit, []);
});

test("apps share a volume by its name", () => {
  const apps = [{ image: "front" }, { image: "front", name: "b" }];
  const { byApp, empty } = resolve({ apps, volumes: [EMPTY], mounts: [{ volume: "tmp", path: "/t" }] });
  assert.equal(byApp.get("front")?.[0]?.source, byApp.get("b")?.[0]?.source);
  assert.equal(empty.length, 1);
});

const mount = (path: string, volume = "tmp") => ({ volume, path });
const BAD: readonly (readonly [what: string, request: Partial<PodRequestInput>, texts: string[]])[] = [
  [
    "a mount without its volume",
    { mounts: [mount("/x", "nope")] },
    ['volume "nope" not found', "--volume nope,kind=empty"],
  ],
  [
    "a volume without a mount",
    { volumes: [EMPTY, HOST], mounts: [mount("/x")] },
    ['volume "data" is not mounted anywhere', "--mount volume=data,target=/path"],
  ],
  ["a name twice", { volumes: [EMPTY, EMPTY] }, ['duplicate volume name "tmp"']],
  [
    "a target twice",
    { volumes: [EMPTY, HOST], mounts: [mount("/x"), mount("/x/", "data")] },
    ['two volumes at "/x"'],
  ],
  ["the root as target", { volumes: [EMPTY], mounts: [mount("//")] }, ["cannot replace the root"]],
  [
    "a target that climbs",
    { volumes: [EMPTY], mounts: [mount("/a/../b")] },
    ['"/a/../b"', 'must not contain ".."'],
  ],
];

for (const [what, request, texts] of BAD) {
  test(`refuses ${what}`, () => {
    assert.throws(() => resolve(request), refusal("BadVolume", 1, ...texts));
  });
}
