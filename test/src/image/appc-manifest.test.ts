/** OCI images in appc's words. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseImageManifest } from "../../../src/image/aci.ts";
import { imageManifestOf } from "../../../src/image/appc-manifest.ts";
import type { ImageRecord } from "../../../src/image/record.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

const RECORD: ImageRecord = {
  version: 1,
  id: DIGEST.replace(":", "-"),
  kind: "oci",
  names: ["127.0.0.1:5000/Team_x/app:1.0".toLowerCase()],
  digest: DIGEST,
  configDigest: DIGEST,
  platform: { os: "linux", architecture: "arm", variant: "v7" },
  labels: { "Any Key": "v" },
  annotations: { "org.example.note": "n", "Not An Identifier": "x" },
  layers: [{ diffId: DIGEST, digest: DIGEST, size: 1, mediaType: "m", unpackedSize: 1, entries: 1 }],
  app: {
    entrypoint: ["/e"],
    cmd: ["c"],
    environment: [
      { name: "A", value: "1" },
      { name: "not valid", value: "2" },
    ],
    user: "web:www",
    group: "",
    supplementaryGids: [],
    workingDirectory: "/srv",
    stopSignal: "SIGTERM",
    mountPoints: [{ name: "volume-data", path: "/data", readOnly: false }],
    ports: [{ name: "80-tcp", protocol: "tcp", port: 80, count: 1 }],
    isolators: [],
    notifies: false,
  },
  created: "2024-01-02T03:04:05Z",
  imported: 1,
  source: "oci:/x",
  verdict: { kind: "insecure", reason: "r", time: 1, uid: 0 },
  verdicts: [],
};

test("the mapping table", () => {
  const manifest = imageManifestOf(RECORD);
  assert.deepEqual(manifest, {
    acKind: "ImageManifest",
    acVersion: "0.8.11",
    name: "127.0.0.1-5000/team_x/app",
    labels: [
      { name: "version", value: "1.0" },
      { name: "os", value: "linux" },
      { name: "arch", value: "armv7l" },
    ],
    app: {
      exec: ["/e", "c"],
      user: "web",
      group: "www",
      workingDirectory: "/srv",
      environment: [{ name: "A", value: "1" }],
      mountPoints: [{ name: "volume-data", path: "/data", readOnly: false }],
      ports: [{ name: "80-tcp", protocol: "tcp", port: 80, count: 1 }],
      userLabels: { "Any Key": "v" },
    },
    annotations: [
      { name: "created", value: "2024-01-02T03:04:05Z" },
      { name: "appc.io/docker/originalname", value: "127.0.0.1:5000/team_x/app:1.0" },
      { name: "appc.io/docker/imageid", value: DIGEST },
      { name: "appc.io/docker/manifesthash", value: DIGEST },
      { name: "appc.io/docker/entrypoint", value: '["/e"]' },
      { name: "appc.io/docker/cmd", value: '["c"]' },
      { name: "org.example.note", value: "n" },
    ],
  });
  parseImageManifest(JSON.stringify(manifest), "the result");
});

test("an image without a name is called by its id", () => {
  assert.equal(imageManifestOf({ ...RECORD, names: [] })["name"], RECORD.id);
  const [version] = imageManifestOf({ ...RECORD, names: [] })["labels"] as { value: string }[];
  assert.equal(version?.value, "a".repeat(12));
});
