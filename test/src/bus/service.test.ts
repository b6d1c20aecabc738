/** The service layer on a real dbus-daemon, with busctl and hand-made bytes as callers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GantryError } from "../../../src/base/errors.ts";
import { type Bus, openBus } from "../../../src/bus/connection.ts";
import { ownName } from "../../../src/bus/ownership.ts";
import { makeEmitter, type Service, serve } from "../../../src/bus/service.ts";
import { connectRaw, startBus } from "../../fixtures/bus.ts";
import { type Answer, busctl } from "../../fixtures/busctl.ts";
import { CAR, carFace, GARAGE, makeGarage } from "./garage.ts";

// As the agent is started, with --disable-proto=delete: a key "__proto__" is a key like any other.
Reflect.deleteProperty(Object.prototype, "__proto__");

const NAME = "org.example1";
const ROOT = "/org/example1";
const FAILED = "Call failed: ";

type Bench = AsyncDisposable & {
  readonly address: string;
  readonly bus: Bus;
  readonly service: Service;
  readonly served: string[];
  readonly failures: unknown[];
  readonly demands: string[];
  call(...args: string[]): Promise<Answer>;
};

/** A garage on a bus of its own. Building and painting is allowed, unless it is called "forbidden". */
async function setUp(): Promise<Bench> {
  const daemon = await startBus();
  const bus = await openBus({ address: daemon.address });
  const { tree, served } = makeGarage();
  const failures: unknown[] = [];
  const demands: string[] = [];
  const service = serve({
    ...{ bus, tree, root: ROOT, maxPerSender: 20 },
    authorize: async (action, demand, call) => {
      demands.push(`${action} ${JSON.stringify(demand.details)} ${call.interactive}`);
      const { car, motto } = demand.details;
      if (action === "org.example1.build" && car !== "forbidden") return;
      if (action === "org.example1.paint" && motto !== "forbidden") return;
      throw new GantryError("AccessDenied", `Not allowed: ${action}.`);
    },
    onFailure: (error) => failures.push(error),
    onIdle: () => {},
  });
  await ownName({ bus, name: NAME, idle: 600_000, busy: () => true, wanted: () => true });
  return {
    ...{ address: daemon.address, bus, service, served, failures, demands },
    call: (...args) => busctl(daemon.address, ["call", NAME, ...args]),
    [Symbol.asyncDispose]: async () => {
      await bus[Symbol.asyncDispose]();
      await daemon[Symbol.asyncDispose]();
    },
  };
}

function refused(answer: Answer, text: string): void {
  assert.equal(answer.status, 1);
  assert.equal(answer.stderr.trim(), FAILED + text);
}

test("service: methods answer with their signatures", async () => {
  await using bench = await setUp();
  const list = await bench.call(ROOT, GARAGE.name, "List");
  assert.equal(list.stdout.trim(), 'a(su) 2 "mini" 4 "3-wheeler" 3');
  const count = await bench.call(ROOT, GARAGE.name, "Count");
  assert.equal(count.stdout.trim(), "uu 2 7");
  const honk = await bench.call(`${ROOT}/car/_33_2dwheeler`, CAR.name, "Honk");
  assert.equal(honk.stdout.trim(), 's "honk 3"');
});

test("service: options are checked by name and type, and reach the handler unwrapped", async () => {
  await using bench = await setUp();
  const build = (...args: string[]) => bench.call(ROOT, GARAGE.name, "Build", "sa{sv}", ...args);
  assert.equal((await build("van", "1", "wheels", "u", "6")).stdout.trim(), 'o "/org/example1/car/x"');
  const wheels = await busctl(bench.address, ["get-property", NAME, `${ROOT}/car/van`, CAR.name, "Wheels"]);
  assert.equal(wheels.stdout.trim(), "u 6");
  refused(await build("van", "1", "doors", "u", "6"), 'Unknown option "doors".');
  refused(await build("van", "1", "__proto__", "s", "x"), 'Unknown option "__proto__".');
  refused(await build("van", "1", "wheels", "s", "6"), "Argument options.wheels: must be of type u.");
  assert.deepEqual(bench.served, ["build van"]);
});

test("service: authorization comes before the handler, with details, flags and further actions", async () => {
  await using bench = await setUp();
  refused(
    await bench.call(ROOT, GARAGE.name, "Build", "sa{sv}", "forbidden", "0"),
    "Not allowed: org.example1.build.",
  );
  const quiet = ["--allow-interactive-authorization=no", "call", NAME, ROOT, GARAGE.name, "Build", "sa{sv}"];
  const tagged = await busctl(bench.address, [...quiet, "x", "1", "tags", "as", "1", "red"]);
  refused(tagged, "Not allowed: org.example1.tag.");
  assert.deepEqual(bench.demands, [
    'org.example1.build {"car":"forbidden"} true',
    'org.example1.build {"car":"x"} false',
    'org.example1.tag {"car":"x"} false',
  ]);
  assert.deepEqual(bench.served, []);
});

test("service: what does not exist is refused as sd-bus does", async () => {
  await using bench = await setUp();
  refused(await bench.call("/nowhere", GARAGE.name, "List"), "Unknown object /nowhere.");
  refused(await bench.call(`${ROOT}/car/gone`, CAR.name, "Honk"), "Unknown object /org/example1/car/gone.");
  refused(
    await bench.call(`${ROOT}/car/gone/x`, CAR.name, "Honk"),
    "Unknown object /org/example1/car/gone/x.",
  );
  refused(await bench.call(ROOT, "org.example1.Boat", "List"), "Unknown interface org.example1.Boat.");
  refused(await bench.call(ROOT, GARAGE.name, "Sink"), "Unknown method Sink.");
  refused(await bench.call(ROOT, GARAGE.name, "toString"), "Unknown method toString.");
  refused(await bench.call(ROOT, GARAGE.name, "__proto__"), "Unknown method __proto__.");
});

test("service: a call of the wrong signature is refused", async () => {
  await using bench = await setUp();
  const list = await bench.call(ROOT, GARAGE.name, "List", "s", "surplus");
  refused(list, 'List takes "", at most 256 KiB of it.');
  refused(await bench.call(ROOT, GARAGE.name, "Fail"), 'Fail takes "s", at most 256 KiB of it.');
  refused(await bench.call(ROOT, GARAGE.name, "Fail", "u", "1"), 'Fail takes "s", at most 256 KiB of it.');
});

test("service: errors carry their kind, and nothing unforeseen carries its text", async () => {
  await using bench = await setUp();
  await using peer = await openBus({ address: bench.address });
  const fail = async (how: string) =>
    await peer
      .call({
        ...{ destination: NAME, path: ROOT, interface: GARAGE.name },
        member: "Fail",
        signature: "s",
        body: [how],
      })
      .then(
        () => assert.fail("no error"),
        (error: Error) => [error.name, error.message],
      );
  assert.deepEqual(await fail("typed"), ["org.gantry1.Error.NoSuchPod", 'no pod "x"']);
  assert.deepEqual(await fail("bus"), ["org.freedesktop.DBus.Error.AccessDenied", "no"]);
  assert.equal(bench.failures.length, 0);
  assert.deepEqual(await fail("wild"), [
    "org.gantry1.Error.Internal",
    "Internal error; the journal has the details.",
  ]);
  assert.equal(bench.failures.length, 1);
});

test("service: properties follow sd-bus's rules", async () => {
  await using bench = await setUp();
  const path = `${ROOT}/car/mini`;
  const get = (name: string) => busctl(bench.address, ["get-property", NAME, path, CAR.name, name]);
  assert.equal((await get("Mileage")).stdout.trim(), "t 18446744073709551615");
  assert.match((await get("Doors")).stderr, /Unknown property Doors\./);
  const set = await busctl(bench.address, ["set-property", NAME, path, CAR.name, "Wheels", "u", "9"]);
  assert.match(set.stderr, /Property Wheels cannot be written\./);
  const properties = (...args: string[]) => bench.call(path, "org.freedesktop.DBus.Properties", ...args);
  refused(await properties("Set", "ssv", CAR.name, "Doors", "u", "1"), "Unknown property Doors.");
  refused(await properties("Get", "ss", CAR.name, "constructor"), "Unknown property constructor.");
  refused(await properties("GetAll", "s", "org.example1.Boat"), "Unknown interface org.example1.Boat.");
  assert.equal(
    (await properties("GetAll", "s", "")).stdout.trim(),
    'a{sv} 2 "Wheels" u 4 "Mileage" t 18446744073709551615',
  );
  assert.equal((await get("Wheels")).stdout.trim(), "u 4");
});

test("service: a property with an action is set by whom that allows, to a value of its type", async () => {
  await using bench = await setUp();
  const motto = async () =>
    (await busctl(bench.address, ["get-property", NAME, ROOT, GARAGE.name, "Motto"])).stdout.trim();
  const set = (type: string, value: string) =>
    bench.call(ROOT, "org.freedesktop.DBus.Properties", "Set", "ssv", GARAGE.name, "Motto", type, value);
  assert.equal((await set("s", "fast")).status, 0);
  assert.equal(await motto(), 's "fast"');
  refused(await set("s", "forbidden"), "Not allowed: org.example1.paint.");
  refused(await set("u", "9"), 'Property Motto is of type "s".');
  assert.equal(await motto(), 's "fast"');
  assert.deepEqual(
    bench.demands.map((demand) => demand.replace(/ (true|false)$/, "")),
    ['org.example1.paint {"motto":"fast"}', 'org.example1.paint {"motto":"forbidden"}'],
  );
  assert.deepEqual(bench.served, ["paint fast"]);
  const shown = await busctl(bench.address, ["introspect", NAME, ROOT, GARAGE.name]);
  assert.match(shown.stdout, /\.Motto +property +s +"fast" +writable/);
});

test("service: the tree is introspectable, with argument names", async () => {
  await using bench = await setUp();
  const tree = await busctl(bench.address, ["tree", "--list", NAME]);
  assert.deepEqual(tree.stdout.trim().split("\n"), [
    ...["/", "/org", "/org/example1", "/org/example1/car"],
    ...["/org/example1/car/_33_2dwheeler", "/org/example1/car/mini"],
  ]);
  const xml = (await busctl(bench.address, ["introspect", "--xml-interface", NAME, ROOT])).stdout;
  assert.match(xml, /<arg type="a\{sv\}" name="options" direction="in"\/>/);
  assert.match(
    xml,
    /<method name="Build">\n +<annotation name="org.freedesktop.systemd1.Privileged" value="true"\/>/,
  );
  const manager = /<interface name="org\.freedesktop\.DBus\.ObjectManager">/;
  assert.match(xml, manager);
  assert.match(xml, /<method name="GetManagedObjects">/);
  const car = await busctl(bench.address, ["introspect", "--xml-interface", NAME, `${ROOT}/car/mini`]);
  assert.doesNotMatch(car.stdout, manager, "which is at the root only");
  const lines = (await busctl(bench.address, ["introspect", NAME, `${ROOT}/car/mini`])).stdout;
  assert.match(lines, /^\.Honk +method +- +s +-$/m);
  assert.match(lines, /^\.Wheels +property +u +4 +emits-change$/m);
});

test("service: ObjectManager tells every object", async () => {
  await using bench = await setUp();
  const answer = await bench.call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects");
  assert.match(
    answer.stdout,
    /^a\{oa\{sa\{sv\}\}\} 2 "\/org\/example1\/car\/mini" 1 "org\.example1\.Car" 2 "Wheels" u 4/,
  );
});

test("service: signals carry what changed", async () => {
  await using bench = await setUp();
  await using peer = await openBus({ address: bench.address });
  const seen: string[] = [];
  peer.onSignal(({ sender, member, body }) => {
    // The daemon's own NameAcquired may come as late as now.
    if (sender === bench.bus.name) seen.push(`${member} ${JSON.stringify(body, bigintsAsText)}`);
  });
  await peer.call({
    ...{
      destination: "org.freedesktop.DBus",
      path: "/org/freedesktop/DBus",
      interface: "org.freedesktop.DBus",
    },
    ...{ member: "AddMatch", signature: "s", body: [`type='signal',sender='${NAME}'`] },
  });
  const emitter = makeEmitter(bench.bus, ROOT);
  emitter.emit(ROOT, [GARAGE, "Opened"], ["me"]);
  emitter.emitChanged(`${ROOT}/car/mini`, carFace, { Wheels: 5, Mileage: 6n });
  emitter.emitRemoved(`${ROOT}/car/mini`, [carFace]);
  await bench.call(ROOT, GARAGE.name, "List");
  await peer.call({ ...{ destination: NAME, path: ROOT, interface: GARAGE.name }, member: "List" });
  assert.deepEqual(seen, [
    'Opened ["me"]',
    'PropertiesChanged ["org.example1.Car",{"Wheels":{"signature":"u","value":5}},[]]',
    'InterfacesRemoved ["/org/example1/car/mini",["org.example1.Car"]]',
  ]);
});

function bigintsAsText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

test("service: nobody is answered who asked not to be", async () => {
  await using bench = await setUp();
  await using peer = await connectRaw(bench.address);
  peer.send({ ...to("List"), flags: 1, signature: "", body: Buffer.alloc(0) });
  peer.send({ ...to("Wait"), flags: 1, signature: "u", body: Buffer.from([1, 0, 0, 0]) });
  await until(() => bench.served.includes("wait"));
  assert.equal(bench.service.inFlight(), 0);
});

test("service: calls of one sender are capped, and another's go on", async () => {
  await using bench = await setUp();
  await using peer = await openBus({ address: bench.address });
  const wait = {
    ...{ destination: NAME, path: ROOT, interface: GARAGE.name },
    member: "Wait",
    signature: "u",
  };
  const calls = Array.from({ length: 30 }, () => peer.call({ ...wait, body: [3000] }));
  const settled = Promise.allSettled(calls);
  await until(() => bench.service.inFlight() >= 20);
  assert.equal((await bench.call(ROOT, GARAGE.name, "Count")).status, 0);
  const errors = (await settled).flatMap((one) => (one.status === "rejected" ? [one.reason as Error] : []));
  assert.equal(errors.length, 10);
  assert.ok(errors.every((error) => error.name === "org.freedesktop.DBus.Error.LimitsExceeded"));
  await until(() => bench.service.inFlight() === 0);
});

type Hostile = {
  readonly name: string;
  readonly type?: number;
  readonly signature: string;
  readonly body: Buffer;
};

/** `count` variants of one byte each: 4 bytes on the wire, some 200 in memory. */
function tinyVariants(count: number): Buffer {
  const body = Buffer.alloc(4 + count * 4);
  body.writeUInt32LE(count * 4, 0);
  for (let at = 4; at < body.length; at += 4) body.set([1, 0x79, 0, 7], at);
  return body;
}

function longText(bytes: number): Buffer {
  const body = Buffer.alloc(4 + bytes + 1, "x");
  body.writeUInt32LE(bytes, 0);
  body[body.length - 1] = 0;
  return body;
}

const HOSTILE: readonly Hostile[] = [
  { name: "a descriptor that is not there, in a call", signature: "h", body: Buffer.alloc(4) },
  { name: "a descriptor that is not there, in a signal", type: 4, signature: "h", body: Buffer.alloc(4) },
  { name: "a descriptor in a variant", signature: "v", body: Buffer.from([1, 0x68, 0, 0, 0, 0, 0, 0]) },
  { name: "31 MiB of variants in a call", signature: "av", body: tinyVariants((31 << 20) / 4) },
  { name: "31 MiB of variants in a signal", type: 4, signature: "av", body: tinyVariants((31 << 20) / 4) },
  { name: "a string of 5 MB", signature: "s", body: longText(5_000_000) },
];

for (const hostile of HOSTILE) {
  test(`service: ${hostile.name} costs nothing`, async () => {
    await using bench = await setUp();
    await using peer = await connectRaw(bench.address);
    const before = process.memoryUsage.rss();
    const signals: string[] = [];
    bench.bus.onSignal((signal) => signals.push(signal.member));
    peer.send({ ...to("Fail"), destination: bench.bus.name, ...hostile });
    if (hostile.type === 4) await until(() => signals.includes("Fail"));
    else await until(() => peer.received().includes('Fail takes "s", at most 256 KiB of it.'));
    const count = await bench.call(ROOT, GARAGE.name, "Count");
    assert.equal(count.stdout.trim(), "uu 2 7");
    assert.equal(bench.service.inFlight(), 0);
    assert.equal(bench.failures.length, 0);
    assert.ok(process.memoryUsage.rss() - before < 200 << 20, "the message was decoded");
  });
}

test("service: a message of a type that nobody knows is ignored", async () => {
  await using bench = await setUp();
  await using peer = await connectRaw(bench.address);
  peer.send({ ...to("List"), type: 9, signature: "", body: Buffer.alloc(0) });
  assert.equal((await bench.call(ROOT, GARAGE.name, "Count")).stdout.trim(), "uu 2 7");
});

test("service: a body of 5 MB is refused by name", async () => {
  await using bench = await setUp();
  await using peer = await openBus({ address: bench.address });
  const call = {
    ...{ destination: NAME, path: ROOT, interface: GARAGE.name },
    member: "Fail",
    signature: "s",
  };
  await assert.rejects(peer.call({ ...call, body: ["x".repeat(5_000_000)] }), {
    name: "org.freedesktop.DBus.Error.InvalidArgs",
    message: 'Fail takes "s", at most 256 KiB of it.',
  });
});

function to(member: string) {
  return { destination: NAME, path: ROOT, interface: GARAGE.name, member };
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 5) {
    assert.ok(waited < 30_000, "waited for too long");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
