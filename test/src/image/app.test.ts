import assert from "node:assert/strict";
import { test } from "node:test";
import { executionApp, signalName } from "../../../src/image/app.ts";
import type { Execution } from "../../../src/image/oci.ts";
import { refusal } from "../../fixtures/refusal.ts";

function appOf(execution: Record<string, unknown>) {
  return executionApp(execution as Execution, "configuration x");
}

test("an empty configuration is root in / with no command", () => {
  assert.deepEqual(appOf({}), {
    entrypoint: [],
    cmd: [],
    environment: [],
    user: "",
    group: "",
    supplementaryGids: [],
    workingDirectory: "/",
    stopSignal: "SIGTERM",
    mountPoints: [],
    ports: [],
    isolators: [],
    notifies: false,
  });
});

test("the environment splits at the first =, drops entries without one, and its last value wins", () => {
  const { environment } = appOf({ Env: ["A=1=2", "UNSET", "B=", "=x", "A=3"] });
  assert.deepEqual(environment, [
    { name: "A", value: "3" },
    { name: "B", value: "" },
  ]);
});

test("a relative working directory is taken from /", () => {
  assert.equal(appOf({ WorkingDir: "srv/app" }).workingDirectory, "/srv/app");
  assert.equal(appOf({ WorkingDir: "" }).workingDirectory, "/");
});

test("ports have names, ranges and protocols", () => {
  const { ports } = appOf({ ExposedPorts: { "80/tcp": {}, "8080": {}, "8000-8010/udp": {}, "9/sctp": {} } });
  assert.deepEqual(ports, [
    { name: "8080", protocol: "tcp", port: 8080, count: 1 },
    { name: "80-tcp", protocol: "tcp", port: 80, count: 1 },
    { name: "8000-8010-udp", protocol: "udp", port: 8000, count: 11 },
    { name: "9-sctp", protocol: "sctp", port: 9, count: 1 },
  ]);
});

for (const port of ["0/tcp", "70000", "10-9/tcp", "80/icmp", "x", "65530-65536"]) {
  test(`port ${port} is malformed`, () => {
    assert.throws(
      () => appOf({ ExposedPorts: { [port]: {} } }),
      refusal("BadImage", 1, "configuration x", port),
    );
  });
}

test("volumes become mount points, sorted, with names of their own", () => {
  const { mountPoints } = appOf({ Volumes: { "/var/lib/db": {}, "/var/lib_db": {}, data: {}, "/": {} } });
  assert.deepEqual(mountPoints, [
    { name: "volume", path: "/", readOnly: false },
    { name: "volume-var-lib-db", path: "/var/lib/db", readOnly: false },
    { name: "volume-var-lib-db-1", path: "/var/lib_db", readOnly: false },
    { name: "volume-data", path: "/data", readOnly: false },
  ]);
});

const SIGNALS: readonly (readonly [text: string, name: string])[] = [
  ["SIGTERM", "SIGTERM"],
  ["TERM", "SIGTERM"],
  ["quit", "SIGQUIT"],
  ["9", "SIGKILL"],
  ["SIGRTMIN+3", "SIGRTMIN+3"],
  ["RTMAX-1", "SIGRTMAX-1"],
  ["37", "SIGRTMIN+3"],
];

for (const [text, name] of SIGNALS) {
  test(`stop signal ${text} is ${name}`, () => assert.equal(signalName(text, "x"), name));
}

for (const text of ["", "SIGNOTHING", "0", "65", "SIGRTMIN+31", "constructor"]) {
  test(`stop signal ${JSON.stringify(text)} is unknown`, () => {
    assert.throws(
      () => signalName(text, "configuration x"),
      refusal("BadImage", 1, "configuration x", `"${text}"`),
    );
  });
}
