/** native/gantry/stop.c: what stops in C, and what is left to the TypeScript half. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPlace, type Place } from "./place.ts";

let place: Place;

before(async () => {
  place = await openPlace({ name: "stop" });
});

after(async () => {
  await place?.[Symbol.asyncDispose]();
});

async function uuidOf(name: string): Promise<string> {
  const link = await place.shell(`basename $(readlink /var/lib/gantry/names/${name})`);
  assert.match(link.stdout, /^[0-9a-f]{32}\n$/);
  return link.stdout.trim();
}

/** Where /usr/bin/node says no, the TypeScript half cannot have done it. */
const withoutNode = (command: string): string =>
  `unshare -m sh -c 'mount --bind /bin/false $(readlink -f /usr/bin/node) && ${command}'`;

test("stop: several pods end at once, without Node, and are told in order", async () => {
  await place.sleeper("first");
  await place.sleeper("second");
  const uuids = [await uuidOf("first"), await uuidOf("second")];
  const { status, stdout, stderr } = await place.shell(withoutNode("gantry stop second first"));
  assert.deepEqual([status, stdout, stderr], [0, `${uuids[1]}\n${uuids[0]}\n`, ""]);
  const running = await place.shell("systemctl list-units --state=active --no-legend 'gantry-*.service'");
  assert.doesNotMatch(running.stdout, /first|second/);
  const ended = await place.shell(`cat /var/lib/gantry/pods/${uuids[0]}/ended`);
  assert.equal(JSON.parse(ended.stdout).result, "success");
});

test("stop: pods that have ended, never ran or are not there are left to the TypeScript half", async () => {
  const ended = await place.shell("gantry stop first");
  assert.equal(ended.status, 0, ended.stderr);
  assert.match(ended.stdout, /^pod [0-9a-f]{32} has ended already\n$/);
  const prepared = await place.shell(
    `gantry prepare --insecure-options=image --net=none --name=third ${place.image}`,
  );
  assert.equal(prepared.status, 0, prepared.stderr);
  const never = await place.shell("gantry stop third");
  assert.deepEqual([never.status, never.stderr], [3, 'gantry: pod "third" was not started\n']);
  const missing = await place.shell("gantry stop nobody");
  assert.equal(missing.status, 4);
  assert.match(missing.stderr, /"nobody"/);
});

test("stop: one pod that is missing keeps no other from being stopped", async () => {
  await place.sleeper("fourth");
  const uuid = await uuidOf("fourth");
  const { status, stdout, stderr } = await place.shell("gantry stop nobody fourth");
  assert.deepEqual([status, stdout], [4, `${uuid}\n`]);
  assert.match(stderr, /"nobody"/);
});
