import assert from "node:assert/strict";

import { test } from "node:test";
import { parsePodRequest } from "../../../src/agent/pod-request.ts";
import type { LaunchablePod, PodManager } from "../../../src/manager/manager.ts";
import { refusal } from "../../fixtures/refusal.ts";

test("pod request: name and images are known before anything is prepared", () => {
  const { name, images } = parsePodRequest(
    '{"name":"web","apps":[{"image":"busybox"},{"image":"oci:/srv/app:1"}]}',
  );
  assert.deepEqual([name, images], ["web", ["busybox", "oci:/srv/app:1"]]);
});

test("pod request: a manifest names its images by what they are taken by, whatever it calls them", () => {
  const apps = [{ image: { id: "sha256-ab", name: "x:1" } }, { image: { id: "sha256-cd" } }];
  const { name, images } = parsePodRequest(JSON.stringify({ acKind: "PodManifest", apps }));
  assert.deepEqual([name, images], [undefined, ["sha256-ab", "sha256-cd"]]);
});

test("pod request: each form goes to its own half of the manager, with the text as it came", async () => {
  const asked: unknown[] = [];
  const pods = {
    preparePod: async (request: unknown) => {
      asked.push(request);
      return {} as LaunchablePod;
    },
    prepareManifest: async (text: string, origin: string) => {
      asked.push([text, origin]);
      return {} as LaunchablePod;
    },
  } as unknown as PodManager;
  const request = '{"apps":[{"image":"x"}],"surplus":1}';
  await parsePodRequest(request).prepare(pods, { insecureOptions: [] });
  const manifest = '{"acKind":"PodManifest","apps":[]}';
  await parsePodRequest(manifest).prepare(pods, { insecureOptions: [] });
  assert.deepEqual(asked, [JSON.parse(request), [manifest, "the request"]]);
});

for (const [text, says] of [
  ["", "the request is not JSON"],
  ["{", "the request is not JSON"],
  ["[]", "see it"],
  ["{}", "see apps"],
  ['{"apps":[{"image":1}],"name":2}', "see name"],
  ['{"apps":["x"]}', "see apps.0"],
] as const) {
  test(`pod request: ${text || "nothing"} is refused`, () => {
    assert.throws(() => parsePodRequest(text), refusal("BadManifest", 1, says));
  });
}
