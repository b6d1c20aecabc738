import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_PATHS } from "../../../src/config/paths.ts";
import type { ImageApp } from "../../../src/image/record.ts";
import { decidePod } from "../../../src/pod/decide.ts";
import type { PodManifest } from "../../../src/pod/manifest.ts";
import { manifestOfRequest } from "../../../src/pod/reify.ts";
import type { PodRequestInput } from "../../../src/pod/request.ts";
import { unitSet } from "../../../src/pod/units.ts";
import { IMAGE_ID, imageRecord, podRequest } from "../../fixtures/pods.ts";
import { refusal } from "../../fixtures/refusal.ts";

const UUID = "0".repeat(32);

function decide(
  request: Partial<PodRequestInput>,
  image: Partial<ImageApp> = {},
  more: Partial<PodManifest> = {},
) {
  const record = imageRecord(image);
  const images = new Map([
    ["front", record],
    [IMAGE_ID, record],
  ]);
  const manifest = { ...manifestOfRequest(podRequest(request), images), ...more };
  return decidePod({ uuid: UUID, manifest, images, userns: { mode: "host" }, paths: DEFAULT_PATHS }).draft;
}

test("a pod without a name is called by its UUID", () => {
  const named = decide({ name: "web" });
  assert.deepEqual(
    [named.pod, named.hostname, named.units.sandbox],
    ["web", "gantry-web", "gantry-web.service"],
  );
  const nameless = decide({});
  assert.deepEqual([nameless.pod, nameless.hostname], [UUID, "gantry-000000000000"]);
});

test("a long name is cut to what a host name may have", () => {
  assert.equal(decide({ name: "a".repeat(63) }).hostname, `gantry-${"a".repeat(57)}`);
  assert.equal(decide({ name: `${"a".repeat(56)}-bcdefg` }).hostname, `gantry-${"a".repeat(56)}`);
});

test("refuses two apps of one name", () => {
  const apps = [{ image: "front" }, { image: "front" }];
  assert.throws(
    () => decide({ apps }),
    refusal("BadManifest", 1, 'duplicate apps of name "front"', "--name=NAME"),
  );
});

test("refuses networks that are not there yet, each by name", () => {
  for (const network of [["default"], ["none", "bridge0"]]) {
    assert.throws(
      () => decide({ network }),
      refusal("Unsupported", 1, `network "${network.at(-1)}"`, "--net=none"),
    );
  }
  assert.throws(() => decide({ network: ["none", "host"] }), refusal("BadManifest", 1, "exclude each other"));
  assert.equal(decide({ network: ["host"] }).net, "host");
});

test("refuses an image that names no command", () => {
  assert.throws(
    () => decide({}, { entrypoint: [], cmd: [] }),
    refusal("BadManifest", 1, 'app "front"', "registry.example/team/front:1.0", "give one after --"),
  );
});

test("refuses ports and event handlers until they are there", () => {
  const port = { name: "http", hostPort: 80 };
  assert.throws(() => decide({}, {}, { ports: [port] }), refusal("Unsupported", 1, 'port "http"'));
});

test("refuses a stop signal that is none", () => {
  const pod = decide({ apps: [{ image: "front", stopSignal: "SIGNOPE" }] });
  assert.throws(() => unitSet(pod), refusal("BadManifest", 1, 'app "front"', '"SIGNOPE" is not a signal'));
});
