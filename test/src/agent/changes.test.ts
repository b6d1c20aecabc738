import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Changes, makeChanges } from "../../../src/agent/changes.ts";
import { type Bus, type IncomingCall, openBus } from "../../../src/bus/connection.ts";
import { startBus } from "../../fixtures/bus.ts";
import { until } from "../../fixtures/until.ts";

const SYSTEMD = "org.freedesktop.systemd1";
const PROPERTIES = "org.freedesktop.DBus.Properties";

type Bench = {
  readonly data: string;
  readonly changes: Changes;
  /** How often pods and images have been looked at. */
  readonly looks: { pods: number; images: number };
  /** Has systemd tell a change of a unit. */
  readonly tellUnit: (unit: string) => void;
};

async function withBench(test: TestContext, body: (bench: Bench) => Promise<void>): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), "gantry-changes-"));
  for (const name of ["pods", "images"]) mkdirSync(join(data, name));
  const daemon = await startBus();
  const bus = await openBus(daemon);
  const asked: string[] = [];
  const systemd = await openSystemd(daemon.address, asked);
  test.after(async () => {
    for (const each of [bus, systemd, daemon]) await each[Symbol.asyncDispose]();
    rmSync(data, { recursive: true });
  });
  const looks = { pods: 0, images: 0 };
  const collection = (name: "pods" | "images") => {
    const list = async () => {
      looks[name] += 1;
      return new Map();
    };
    return { prefix: `/org/example1/${name}`, faces: [], find: async () => undefined, list };
  };
  const changes = makeChanges({
    ...{ bus, data, collections: { pods: [collection("pods")], images: [collection("images")] } },
    ...{ onNew: () => {}, onRemoved: () => {}, onChanged: () => {} },
    onFailure: (error) => assert.fail(String(error)),
  });
  const tellUnit = (unit: string) =>
    systemd.emit({
      ...{
        path: `/org/freedesktop/systemd1/unit/${unit}`,
        interface: PROPERTIES,
        member: "PropertiesChanged",
      },
      ...{ signature: "sa{sv}as", body: [`${SYSTEMD}.Unit`, {}, []] },
    });
  await body({ data, changes, looks, tellUnit });
  changes.release();
  await until(
    () => asked.at(-1),
    (member) => member === "Unsubscribe",
  );
}

/** What systemd says to who watches units, and what it was asked. */
async function openSystemd(address: string, asked: string[]): Promise<Bus> {
  const bus = await openBus({ address });
  const handle = (call: IncomingCall) => {
    asked.push(call.member);
    bus.reply(call, { signature: "", body: [] });
  };
  bus.serve({ signatureOf: () => "", handle });
  const daemon = "org.freedesktop.DBus";
  await bus.call({
    ...{ destination: daemon, path: "/org/freedesktop/DBus", interface: daemon, member: "RequestName" },
    ...{ signature: "su", body: [SYSTEMD, 0] },
  });
  return bus;
}

test("changes: only what may have changed is looked at", async (t) => {
  await withBench(t, async ({ data, changes, looks, tellUnit }) => {
    await changes.acquire();
    assert.deepEqual(looks, { pods: 1, images: 1 });
    tellUnit("gantry_2dweb_2eservice");
    await until(
      () => looks.pods,
      (pods) => pods === 2,
    );
    assert.equal(looks.images, 1);
    writeFileSync(join(data, "record"), "");
    renameSync(join(data, "record"), join(data, "images", "record"));
    await until(
      () => looks.images,
      (images) => images > 1,
    );
  });
});

test("changes: the use of an image is none", async (t) => {
  await withBench(t, async ({ data, changes, looks, tellUnit }) => {
    writeFileSync(join(data, "images", "record"), "");
    await changes.acquire();
    utimesSync(join(data, "images", "record"), 1, 1);
    tellUnit("gantry_2dweb_2eservice");
    await until(
      () => looks.pods,
      (pods) => pods === 2,
    );
    assert.equal(looks.images, 1);
    mkdirSync(join(data, "pods", "new"));
    await until(
      () => looks.pods,
      (pods) => pods > 2,
    );
    assert.equal(looks.images, 1);
  });
});
