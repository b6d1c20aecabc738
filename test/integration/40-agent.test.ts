/** org.gantry1 on the system bus of a host: what a client without any code of ours can do, and what it may rely on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readProperties } from "../../src/bus/client.ts";
import { APP } from "../../src/interface/app.ts";
import { POD } from "../../src/interface/pod.ts";
import {
  type AgentHost,
  agentPid,
  type Client,
  connectClient,
  importImage,
  sleeper,
  withAgentHost,
} from "../fixtures/agent.ts";
import { until } from "../fixtures/until.ts";

const NAME = "org.gantry1";

/** The one string or object path in what busctl prints. */
function word(output: string): string {
  return /"([^"]*)"/.exec(output)?.[1] ?? assert.fail(`no word in ${output}`);
}

/** Waits for an operation with nothing but busctl, and gives phase, result and error. */
async function finished(host: AgentHost, started: { stdout: string; stderr: string }): Promise<string[]> {
  assert.equal(started.stderr, "");
  const get = ["busctl", "get-property", NAME, word(started.stdout), "org.gantry1.Operation"];
  for (;;) {
    const { stdout, stderr } = await host.exec([...get, "Phase", "Result", "Error"]);
    assert.equal(stderr, "");
    const lines = stdout.trim().split("\n");
    if (/done|failed|cancelled/.test(lines[0] ?? "")) return lines;
  }
}

test("agent: busctl alone fetches, runs, watches, stops and removes a pod", async (t) => {
  await withAgentHost(t, { name: "busctl" }, async (host) => {
    const monitor = await host.spawn(["busctl", "monitor", "--json=short", NAME]);
    await monitor.until(/Monitoring bus message stream/);
    const insecure = ["1", "insecure", "as", "1", "image"];
    const fetched = await finished(host, await host.manager("FetchImage", "sa{sv}", host.image, ...insecure));
    assert.equal(fetched[0], 's "done"');
    assert.match(fetched[1] ?? "", /^s "sha256-[0-9a-f]{64}"$/);
    const ran = await finished(
      host,
      await host.manager("RunPod", "sa{sv}", sleeper(host.image, "web"), ...insecure),
    );
    assert.deepEqual([ran[0], ran[2]], ['s "done"', '(ss) "" ""']);
    const pod = word((await host.manager("GetPod", "s", "web")).stdout);
    assert.equal(pod, `/org/gantry1/pod/${word(ran[1] ?? "").replace(/^[0-9]/, (digit) => `_3${digit}`)}`);
    const state = ["busctl", "get-property", NAME, pod, POD.name, "State"];
    assert.equal((await host.exec(state)).stdout.trim(), 's "running"');
    assert.match((await host.exec(["systemctl", "is-active", "gantry-web.app.service"])).stdout, /^active$/m);
    const stopped = await finished(host, await host.manager("StopPod", "sa{sv}", "web", "0"));
    assert.equal(stopped[0], 's "done"');
    assert.equal((await host.exec(state)).stdout.trim(), 's "exited"');
    assert.equal(
      (await finished(host, await host.manager("RemovePod", "sa{sv}", "web", "0")))[0],
      's "done"',
    );
    assert.equal((await host.manager("ListPods")).stdout.trim(), "a(sssottt) 0");
    await monitor.until(/"member":"PodRemoved"/);
    await assertSeen(await stopMonitor(monitor), pod);
  });
});

async function stopMonitor(monitor: Awaited<ReturnType<AgentHost["spawn"]>>): Promise<object[]> {
  monitor.kill("SIGTERM");
  const { stdout } = await monitor.ended;
  return stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
}

type Seen = { member?: string; path?: string; payload?: { data: unknown[] } };

/** The pod's state as a message tells it: a pod that is fast runs when it is first seen. */
function stateOf({ path, member, payload }: Seen, pod: string): string | undefined {
  const [subject, values] = (payload?.data ?? []) as [string, Record<string, unknown>];
  const added = member === "InterfacesAdded" && subject === pod ? values[POD.name] : undefined;
  const changed = member === "PropertiesChanged" && path === pod ? values : undefined;
  return ((added ?? changed) as { State?: { data: string } } | undefined)?.State?.data;
}

/** What somebody saw who only watched: the pod came, ran, ended and went. */
async function assertSeen(messages: readonly Seen[], pod: string): Promise<void> {
  const signals = messages.filter(
    ({ path, member }) => path === "/org/gantry1" && /^(Pod|Image)/.test(member ?? ""),
  );
  assert.deepEqual(
    signals.map(({ member }) => member),
    ["ImageNew", "PodNew", "PodRemoved"],
  );
  const states = messages.map((message) => stateOf(message, pod)).filter((state) => state !== undefined);
  assert.ok(states.includes("running"), `never running: ${states}`);
  assert.equal(states.at(-1), "exited");
}

test("agent: objects tell what the command line tells", async (t) => {
  await withAgentHost(t, { name: "objects" }, async (host) => {
    await using client = await connectClient(host);
    await importImage(host, client);
    const uuid = await client.done(
      await client.call("RunPod", { request: sleeper(host.image, "web"), options: { insecure: ["image"] } }),
    );
    const list = JSON.parse((await host.exec(["gantry", "list", "--format=json"])).stdout);
    assert.deepEqual(JSON.parse(await client.call("DescribePods", {})), list);
    const path = await client.call("GetPod", { pod: uuid.slice(0, 12) });
    const pod = await readProperties(client.peer(path), POD);
    assert.deepEqual([pod.Id, pod.Name, pod.State, pod.Unit], [uuid, "web", "running", "gantry-web.service"]);
    const app = await readProperties(client.peer(pod.Apps[0] ?? ""), APP);
    assert.deepEqual([app.Name, app.Pod, app.State, app.ExitStatus], ["app", path, "running", -1]);
    assert.equal(app.Unit, "gantry-web.app.service");
    await client.call("KillPod", { pod: "web", signal: 9, options: { app: "app" } });
    const ended = await until(
      () => readProperties(client.peer(pod.Apps[0] ?? ""), APP),
      (now) => now.State === "exited" && now.Ended > 0n,
    );
    assert.deepEqual([ended.ExitStatus, ended.Result], [137, "signal"]);
    const images = JSON.parse((await host.exec(["gantry", "image", "list", "--format=json"])).stdout);
    assert.deepEqual(JSON.parse(await client.call("DescribeImages", {})), images);
  });
});

test("agent: a start that fails says what failed, and leaves a pod that can be removed", async (t) => {
  await withAgentHost(t, { name: "failing" }, async (host) => {
    await using client = await connectClient(host);
    await importImage(host, client);
    const app = { image: host.image, name: "app", exec: "/no/such/program" };
    const request = JSON.stringify({ name: "bad", apps: [app] });
    const operation = await client.call("RunPod", { request, options: { insecure: ["image"] } });
    const { Phase, Error: error } = await client.ended(operation);
    assert.equal(Phase, "failed");
    assert.equal(error[0], "org.gantry1.Error.LaunchFailed");
    assert.match(error[1], /^pod "bad", app "app": .*\/no\/such\/program: not found/);
    assert.equal(
      (await host.exec(["systemctl", "list-units", "--all", "--no-legend", "gantry-bad*"])).stdout,
      "",
    );
    await client.done(await client.call("RemovePod", { pod: "bad", options: {} }));
    assert.deepEqual(await client.call("ListPods", {}), []);
  });
});

test("agent: subscribers see what others change, and hold the agent no longer than they live", async (t) => {
  await withAgentHost(t, { name: "subscribe", idle: 300 }, async (host) => {
    const client = await connectClient(host);
    const { bus } = client;
    const seen: string[] = [];
    await bus.call({
      ...{
        destination: "org.freedesktop.DBus",
        path: "/org/freedesktop/DBus",
        interface: "org.freedesktop.DBus",
      },
      ...{ member: "AddMatch", signature: "s", body: [`type='signal',sender='${NAME}'`] },
    });
    bus.onSignal(({ member }) => seen.push(member));
    await client.call("Subscribe", {});
    const pid = await agentPid(host);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.equal(await agentPid(host), pid);
    const ran = await host.exec([
      "gantry",
      "run",
      "--insecure-options=image",
      "--name=web",
      "--detach",
      host.image,
    ]);
    assert.equal(ran.status, 0, ran.stderr);
    await until(
      async () => seen,
      () => ["ImageNew", "PodNew"].every((one) => seen.includes(one)),
    );
    assert.equal(await agentPid(host), pid);
    seen.length = 0;
    assert.equal((await host.exec(["gantry", "stop", "web"])).status, 0);
    assert.equal((await host.exec(["gantry", "rm", "web"])).status, 0);
    await until(
      async () => seen,
      () => ["PropertiesChanged", "PodRemoved"].every((one) => seen.includes(one)),
    );
    await client[Symbol.asyncDispose]();
    await until(
      () => agentPid(host),
      (now) => now === 0,
    );
    assert.equal(
      (await host.exec(["systemctl", "is-failed", "gantry-agent.service"])).stdout.trim(),
      "inactive",
    );
  });
});

test("agent: ends when idle, and not one call is lost to that", async (t) => {
  await withAgentHost(t, { name: "idle", idle: 150 }, async (host) => {
    await using client = await connectClient(host);
    let activations = 0;
    let last = 0;
    for (let call = 0; call < 150; call += 1) {
      assert.deepEqual(await client.call("ListPods", {}), []);
      const pid = await owner(client);
      if (pid !== last) activations += 1;
      last = pid;
      await new Promise((resolve) => setTimeout(resolve, 120 + (call % 13) * 5));
    }
    t.diagnostic(`${activations} activations`);
    assert.ok(activations > 5, `the agent never ended: ${activations} activations`);
  });
});

/** Unique name of the agent as a number; 0 without one. */
async function owner(client: Awaited<ReturnType<typeof connectClient>>): Promise<number> {
  const call = {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
  };
  const reply = await client.bus.call({ ...call, member: "ListNames" });
  if (!(reply.body[0] as string[]).includes(NAME)) return 0;
  const name = await client.bus
    .call({ ...call, member: "GetNameOwner", signature: "s", body: [NAME] })
    .catch(() => undefined);
  return Number(String(name?.body[0] ?? "0").replace(":1.", ""));
}

test("agent: 10,000 calls of 8 clients while pods start and stop: none lost, none wrong", async (t) => {
  await withAgentHost(t, { name: "load" }, async (host) => {
    await using driver = await connectClient(host);
    const image = await importImage(host, driver);
    const pods = new Map<string, string>();
    for (const name of ["a", "b"]) {
      const request = sleeper(image, name);
      const options = { insecure: ["image"] };
      pods.set(name, await driver.done(await driver.call("PreparePod", { request, options })));
    }
    const pid = await agentPid(host);
    let busy = true;
    const churn = keepBusy(driver, () => busy);
    const clients = await Promise.all(Array.from({ length: 8 }, () => connectClient(host)));
    const begin = Date.now();
    const answers = await Promise.all(clients.map((client) => load(client, { image, pods }, 1250)));
    const seconds = (Date.now() - begin) / 1000;
    busy = false;
    const turns = await churn;
    t.diagnostic(`10000 calls in ${seconds.toFixed(1)} s, ${turns} starts and stops`);
    assert.equal(
      answers.reduce((sum, { count }) => sum + count, 0),
      10_000,
    );
    const states = new Set(answers.flatMap(({ states }) => [...states]));
    assert.ok(turns > 0 && states.has("running") && states.has("exited"), `${turns} turns: ${[...states]}`);
    assert.equal(await agentPid(host), pid, "the agent has served all of it");
    for (const client of clients) await client[Symbol.asyncDispose]();
  });
});

/** Starts and stops both pods in turn; gives how often. */
async function keepBusy(driver: Client, busy: () => boolean): Promise<number> {
  let turn = 0;
  for (; busy(); turn += 1) {
    const pod = turn % 2 === 0 ? "a" : "b";
    await driver.done(await driver.call("StartPod", { pod, options: {} }));
    await driver.done(await driver.call("StopPod", { pod, options: {} }));
  }
  return turn;
}

type Known = { readonly image: string; readonly pods: ReadonlyMap<string, string> };
type Answers = { readonly count: number; readonly states: ReadonlySet<string> };

/** Each answer must be the one to its own question; only states may differ from call to call. */
async function load(client: Client, { image, pods }: Known, calls: number): Promise<Answers> {
  const states = new Set<string>();
  const ids = new Map([...pods].map(([name, id]) => [id, name]));
  let count = 0;
  for (; count < calls; count += 1) {
    const [name, id] = [...pods][count % 2] ?? assert.fail();
    if (count % 3 === 0) {
      const rows = await client.call("ListPods", {});
      assert.deepEqual(new Map(rows.map(([uuid, called]) => [uuid, called])), ids);
      for (const [, , state] of rows) states.add(state);
    } else if (count % 3 === 1) {
      const path = await client.call("GetPod", { pod: name });
      assert.equal(path.replace(/^\/org\/gantry1\/pod\/(_3(?=[0-9]))?/, ""), id);
    } else {
      assert.deepEqual(
        (await client.call("ListImages", {})).map(([one]) => one),
        [image],
      );
    }
  }
  for (const state of states) assert.match(state, /^(prepared|starting|running|stopping|exited)$/);
  return { count, states };
}

test("agent: systemctl sets what it logs, and to whom it may be told", async (t) => {
  await withAgentHost(t, { name: "log" }, async (host) => {
    const level = (...words: string[]) =>
      host.exec(["systemctl", "service-log-level", "gantry-agent", ...words]);
    const target = (...words: string[]) =>
      host.exec(["systemctl", "service-log-target", "gantry-agent", ...words]);
    const debugged = async () => {
      await host.exec(["journalctl", "--sync"]);
      const filter = ["SYSLOG_IDENTIFIER=gantry-agent", "PRIORITY=7", "--output=cat", "--quiet"];
      const { stdout } = await host.exec(["journalctl", "-u", "gantry-agent", ...filter]);
      return stdout.split("\n").filter((line) => / calls ListPods of \/org\/gantry1$/.test(line)).length;
    };
    await host.manager("ListPods");
    assert.equal((await level()).stdout, "info\n");
    assert.equal((await target()).stdout, "auto\n");
    assert.equal(await debugged(), 0);
    assert.equal((await level("debug")).status, 0);
    assert.equal((await level()).stdout, "debug\n");
    await host.manager("ListPods");
    assert.equal(await debugged(), 1);
    assert.equal((await target("null")).status, 0);
    await host.manager("ListPods");
    assert.equal(await debugged(), 1);
    const property = ["org.gantry1", "/org/freedesktop/LogControl1", "org.freedesktop.LogControl1"];
    const wrong = await host.exec(["busctl", "set-property", ...property, "LogTarget", "s", "kmsg"]);
    assert.match(wrong.stderr, /LogTarget is one of auto, journal, console, null\./);
    const constant = await host.exec(["busctl", "set-property", ...property, "SyslogIdentifier", "s", "x"]);
    assert.match(constant.stderr, /Property SyslogIdentifier cannot be written\./);
    const stranger = await host.user(["busctl", "set-property", ...property, "LogLevel", "s", "err"]);
    assert.match(stranger.stderr, /Interactive authentication required/);
    const read = await host.user(["busctl", "get-property", ...property, "LogLevel", "SyslogIdentifier"]);
    assert.equal(read.stdout, 's "debug"\ns "gantry-agent"\n', read.stderr);
  });
});

/** Tries what the agent's unit must not let it do; prints a word and the error's code for each. */
const PROBE = `
const net = require("node:net"), fs = require("node:fs");
const told = (what) => (error) => console.log("PROBE " + what + " " + (error ? error.code : "allowed"));
net.createServer().on("error", told("listen")).listen(0, "127.0.0.1", told("listen"));
net.connect(80, "203.0.113.1").on("error", told("connect")).on("connect", told("connect"));
for (const [what, path] of [["etc", "/etc/probe"], ["usr", "/usr/probe"], ["home", "/root/probe"], ["sys", "/proc/sys/kernel/hostname"]])
  fs.writeFile(path, "x", told(what));
fs.writeFile("/var/lib/gantry/.probe", "x", told("data"));
`;

test("agent: its unit leaves it no network, no device and no file but the store's", async (t) => {
  await withAgentHost(t, { name: "hardening" }, async (host) => {
    const { stdout } = await host.exec(["systemd-analyze", "security", "--no-pager", "gantry-agent.service"]);
    const exposure = Number(/Overall exposure level for gantry-agent\.service: ([0-9.]+)/.exec(stdout)?.[1]);
    assert.ok(exposure > 0 && exposure <= 3.5, stdout);
    t.diagnostic(`exposure ${exposure}`);
    await host.put("/run/probe.cjs", PROBE);
    const dropIn =
      "[Service]\nType=oneshot\nExecStart=\nExecStart=/usr/bin/env node --jitless /run/probe.cjs\n";
    await host.put("/run/systemd/system/gantry-agent.service.d/probe.conf", dropIn);
    assert.equal((await host.exec(["systemctl", "daemon-reload"])).status, 0);
    const started = await host.exec(["systemctl", "start", "gantry-agent.service"]);
    assert.equal(started.status, 0, started.stderr);
    await host.exec(["journalctl", "--sync"]);
    const said = await host.exec([
      "journalctl",
      "-u",
      "gantry-agent",
      "--no-pager",
      "--output=cat",
      "--grep=^PROBE",
    ]);
    assert.deepEqual(said.stdout.trim().split("\n").sort(), [
      ...["PROBE connect EAFNOSUPPORT", "PROBE data allowed", "PROBE etc EROFS", "PROBE home EROFS"],
      ...["PROBE listen EAFNOSUPPORT", "PROBE sys EROFS", "PROBE usr EROFS"],
    ]);
  });
});
