/** What a hostile or clumsy client, or a killed agent, does to org.gantry1: nothing that lasts. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { Variant } from "dbus-next";
import { readProperties } from "../../src/bus/client.ts";
import { POD } from "../../src/interface/pod.ts";
import { BUS_NAME } from "../../src/interface/tables.ts";
import {
  type AgentHost,
  agentPid,
  type Client,
  connectClient,
  importImage,
  sleeper,
  withAgentHost,
} from "../fixtures/agent.ts";
import { busyboxImage, writeOciLayout } from "../fixtures/images.ts";
import { until } from "../fixtures/until.ts";
import { BUILD } from "../host/machine.ts";

const INSECURE = { insecure: ["image"] } as const;
const INVALID = "org.freedesktop.DBus.Error.InvalidArgs";

/** A call with any signature and body, past our own client's types. */
async function raw(
  client: Client,
  member: string,
  signature: string,
  body: readonly unknown[],
): Promise<string[]> {
  const { bus, destination, path } = client.peer("/org/gantry1");
  try {
    await bus.call({ destination, path, interface: "org.gantry1.Manager", member, signature, body });
  } catch (error) {
    if (error instanceof Error) return [error.name, error.message];
  }
  return ["none", "the call succeeded"];
}

test("abuse: calls of another shape than the declared one are refused, and the next one works", async (t) => {
  await withAgentHost(t, { name: "shapes" }, async (host) => {
    await using client = await connectClient(host);
    const pid = await start(host, client);
    const said = (text: string) => [INVALID, text];
    assert.deepEqual(
      await raw(client, "ListPods", "s", ["surplus"]),
      said('ListPods takes "", at most 256 KiB of it.'),
    );
    assert.deepEqual(
      await raw(client, "StopPod", "s", ["web"]),
      said('StopPod takes "sa{sv}", at most 256 KiB of it.'),
    );
    assert.deepEqual(
      await raw(client, "StopPod", "sa{sv}", ["web", option("soon", "b", true)]),
      said('Unknown option "soon".'),
    );
    assert.deepEqual(
      await raw(client, "StopPod", "sa{sv}", ["web", option("force", "s", "yes")]),
      said("Argument options.force: must be of type b."),
    );
    assert.deepEqual(
      await raw(client, "GetPod", "s", ["x".repeat(5_000_000)]),
      said('GetPod takes "s", at most 256 KiB of it.'),
    );
    assert.deepEqual(await raw(client, "GetPod", "s", ["x".repeat(200_000)]), [
      "org.gantry1.Error.NoSuchPod",
      `there is no pod "${"x".repeat(200)}…"`,
    ]);
    const proto = await host.manager("StopPod", "sa{sv}", "web", "1", "__proto__", "b", "true");
    assert.match(proto.stderr, /Unknown option "__proto__"\./);
    for (const request of ["", "no json", "[]", '{"apps":1}', '{"__proto__":{"apps":[]}}']) {
      const [name, text] = await raw(client, "RunPod", "sa{sv}", [request, {}]);
      assert.equal(name, "org.gantry1.Error.BadManifest");
      assert.match(text ?? "", /^the request is /);
    }
    for (const word of ["", "../../etc", "\u0007", "a b", "a".repeat(100_000), "/".repeat(5000)]) {
      const [pod] = await raw(client, "GetPod", "s", [word]);
      assert.match(pod ?? "", /^org\.gantry1\.Error\.(Usage|NoSuchPod)$/);
      const [image] = await raw(client, "GetImage", "s", [word]);
      assert.match(image ?? "", /^org\.gantry1\.Error\.(BadReference|NoSuchImage)$/);
    }
    assert.deepEqual(await client.call("ListPods", {}), []);
    assert.equal(await agentPid(host), pid);
  });
});

function option(key: string, signature: string, value: unknown): object {
  return { [key]: new Variant(signature, value) };
}

test("abuse: properties that can only be read stay as they are", async (t) => {
  await withAgentHost(t, { name: "readonly" }, async (host) => {
    await using client = await connectClient(host);
    const image = await importImage(host, client);
    await client.done(await client.call("PreparePod", { request: sleeper(image, "web"), options: INSECURE }));
    const path = await client.call("GetPod", { pod: "web" });
    const before = await readProperties(client.peer(path), POD);
    const set = await host.exec([
      "busctl",
      "set-property",
      "org.gantry1",
      path,
      POD.name,
      "State",
      "s",
      "running",
    ]);
    assert.match(set.stderr, /Property State cannot be written\./);
    assert.deepEqual(await readProperties(client.peer(path), POD), before);
  });
});

/** Sends a method call with a descriptor, which only the raw protocol can; prints the errors that come back. */
const SEND_DESCRIPTORS = `
import array, os, socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.connect("/run/dbus/system_bus_socket")
s.sendall(b"\\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\\r\\n"); s.recv(4096)
s.sendall(b"NEGOTIATE_UNIX_FD\\r\\n"); s.recv(4096)
s.sendall(b"BEGIN\\r\\n")
def pad(b, n): return b + b"\\0" * (-len(b) % n)
def text(kind, v): return (struct.pack("<B", len(v)) if kind == "g" else struct.pack("<I", len(v))) + v.encode() + b"\\0"
def message(serial, fields, body=b""):
    array_ = b""
    for code, kind, value in fields:
        array_ = pad(array_, 8) + bytes([code, 1]) + kind.encode() + b"\\0" + (struct.pack("<I", value) if kind == "u" else text(kind, value))
    return pad(struct.pack("<cBBBIII", b"l", 1, 0, 1, len(body), serial, len(array_)) + array_, 8) + body
bus = [(1, "o", "/org/freedesktop/DBus"), (2, "s", "org.freedesktop.DBus"), (3, "s", "Hello"), (6, "s", "org.freedesktop.DBus")]
s.sendall(message(1, bus)); s.recv(4096)
call = [(1, "o", "/org/gantry1"), (2, "s", "org.gantry1.Manager"), (3, "s", "GetPod"), (6, "s", "org.gantry1"), (8, "g", "h"), (9, "u", 1)]
for serial in range(2, 52):
    s.sendmsg([message(serial, call, struct.pack("<I", 0))], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
s.settimeout(60)
got = b""
while got.count(b"org.freedesktop.DBus.Error.") < 50: got += s.recv(65536)
print(got.count(b"NotSupported"), got.count(b"InvalidArgs"))
`;

test("abuse: descriptors that nobody asked for do not pile up", async (t) => {
  await withAgentHost(t, { name: "descriptors" }, async (host) => {
    await using client = await connectClient(host);
    const pid = await start(host, client);
    const count = async () => Number((await host.exec(["sh", "-c", `ls /proc/${pid}/fd | wc -l`])).stdout);
    const before = await count();
    await host.put("/run/descriptors.py", SEND_DESCRIPTORS);
    for (const result of [
      await host.exec(["python3", "/run/descriptors.py"]),
      await host.user(["python3", "/run/descriptors.py"]),
    ]) {
      assert.equal(result.stdout.trim(), "50 0", result.stderr);
    }
    assert.deepEqual(await client.call("ListPods", {}), []);
    assert.ok((await count()) <= before + 1);
    assert.equal(await agentPid(host), pid);
  });
});

test("abuse: clients that subscribe and die leave nothing, however many", async (t) => {
  await withAgentHost(t, { name: "deaths", idle: 500 }, async (host) => {
    await using client = await connectClient(host);
    await start(host, client);
    const subscribe = "busctl call org.gantry1 /org/gantry1 org.gantry1.Manager Subscribe";
    // More than the 512 match rules that the bus allows a connection.
    const many = await host.exec(["sh", "-c", `for i in $(seq 600); do ${subscribe} || exit 1; done`], {
      timeoutMs: 0,
    });
    assert.equal(many.status, 0, many.stderr);
    await until(
      () => agentPid(host),
      (pid) => pid === 0,
    );
    await host.exec(["journalctl", "--sync"]);
    const journal = await host.exec([
      "journalctl",
      "-u",
      "gantry-agent",
      "-p",
      "err",
      "--no-pager",
      "--quiet",
    ]);
    assert.equal(journal.stdout, "");
  });
});

test("abuse: 200 operations at once all end, and what they leave is one image", async (t) => {
  await withAgentHost(t, { name: "many" }, async (host) => {
    await using client = await connectClient(host);
    const pid = await start(host, client);
    const fetch = () => client.call("FetchImage", { source: host.image, options: INSECURE });
    const begun = await Promise.all(Array.from({ length: 200 }, fetch));
    assert.equal(new Set(begun).size, 200);
    const results = await Promise.all(begun.map((operation) => client.done(operation)));
    assert.equal(new Set(results).size, 1);
    assert.equal((await client.call("ListImages", {})).length, 1);
    assert.equal(await agentPid(host), pid);
    await assertTidy(host);
  });
});

type Kill = { readonly phases: readonly string[]; begin(client: Client, image: string): Promise<string> };

/** Every operation, with the phases that it tells. Pod "busy" runs and pod "idle" does not. */
const KILLS: Readonly<Record<string, Kill>> = {
  "image.fetch": {
    phases: ["queued", "running", "importing", "done"],
    begin: (client, source) => client.call("FetchImage", { source, options: INSECURE }),
  },
  "pod.prepare": {
    phases: ["queued", "preparing", "done"],
    begin: (client, image) => client.call("PreparePod", { request: sleeper(image), options: INSECURE }),
  },
  "pod.run": {
    phases: ["queued", "preparing", "starting", "done"],
    begin: (client, image) => client.call("RunPod", { request: sleeper(image, "new"), options: INSECURE }),
  },
  "pod.start": {
    phases: ["queued", "starting"],
    begin: (client) => client.call("StartPod", { pod: "idle", options: {} }),
  },
  "pod.stop": {
    phases: ["queued", "stopping"],
    begin: (client) => client.call("StopPod", { pod: "busy", options: {} }),
  },
  "pod.restart": {
    phases: ["queued", "stopping", "starting"],
    begin: (client) => client.call("RestartPod", { pod: "busy", options: {} }),
  },
  "pod.remove": {
    phases: ["queued", "removing"],
    begin: (client) => client.call("RemovePod", { pod: "idle", options: { force: true } }),
  },
  "pod.install": {
    phases: ["queued", "preparing", "done"],
    begin: (client, image) => {
      const apps = [{ name: "app", image: { id: image } }];
      const definition = JSON.stringify({ acKind: "PodManifest", acVersion: "0.8.11", apps });
      return client.call("InstallPod", { definition, origin: "shop.json", options: INSECURE });
    },
  },
  "pod.refresh": {
    phases: ["queued", "preparing"],
    begin: (client) => client.call("RefreshPod", { name: "shop", options: {} }),
  },
  "pod.uninstall": {
    phases: ["queued", "removing"],
    begin: (client) => client.call("UninstallPod", { name: "shop", options: {} }),
  },
  "image.remove": {
    phases: ["queued", "removing"],
    begin: (client) => client.call("RemoveImage", { image: "localhost/test-kills-other:1", options: {} }),
  },
  gc: { phases: ["queued", "running"], begin: (client) => client.call("CollectGarbage", { options: {} }) },
};

test("abuse: kill -9 of the agent at every phase of every operation; the next call works, and gc tidies up", async (t) => {
  await withAgentHost(t, { name: "kills" }, async (host) => {
    const reached: string[] = [];
    const other = `${BUILD}/test-kills-other`;
    writeOciLayout(other, await busyboxImage({ Cmd: ["other"] }), { ref: "1" });
    t.after(() => rmSync(other, { recursive: true }));
    for (const [kind, kill] of Object.entries(KILLS)) {
      for (const phase of kill.phases) {
        await using client = await connectClient(host);
        // A phase of milliseconds is sometimes over before the signal arrives.
        for (let met = false, round = 0; !met && round < 40; round += 1) {
          await settle(host, client);
          met = await killAt(host, client, { kill, phase });
          if (met) reached.push(`${kind} ${phase}`);
        }
        const states = (await client.call("ListPods", {})).map(([, name, state]) => `${name} ${state}`);
        // A removal that was killed behind its rename has left garbage, which gc takes.
        for (const state of states)
          assert.match(state, / (prepared|starting|running|stopping|exited|garbage)$/);
        assert.equal((await client.call("ListOperations", {})).length, 0);
      }
    }
    t.diagnostic(`killed in: ${reached.join(", ")}`);
    const all = Object.values(KILLS).reduce((sum, { phases }) => sum + phases.length, 0);
    assert.ok(reached.length >= all - 2, `only ${reached.length} of ${all} phases were met`);
    await using client = await connectClient(host);
    for (const [id, , state] of await client.call("ListPods", {})) {
      if (state === "garbage") continue;
      await client.done(await client.call("RemovePod", { pod: id, options: { force: true } }));
    }
    await assertTidy(host);
    // What a killed installation left beside the definitions goes with a collection an hour later.
    const old =
      "touch .old.0123456789ab && find . -name '.?*' -exec touch -d -1day {} + && touch .new.0123456789ab";
    assert.equal((await host.exec(["sh", "-c", `cd /etc/gantry/pods && ${old}`])).status, 0);
    await assertTidy(host);
    assert.equal(
      (await host.exec(["ls", "-A", "/etc/gantry/pods"])).stdout,
      ".new.0123456789ab\nshop.json\n",
    );
    for (const place of ["pods", "names", "ids"]) {
      assert.equal((await host.exec(["ls", "-A", `/var/lib/gantry/${place}`])).stdout, "", place);
    }
    await until(
      () => host.exec(["systemctl", "list-units", "--all", "--no-legend", "gantry-*.slice"]),
      ({ stdout }) => stdout === "",
    );
  });
});

/** An installed pod whose images are there, so that it can be refreshed. */
const SHOP = JSON.stringify({
  ...{ acKind: "PodManifest", acVersion: "0.8.11" },
  apps: [{ name: "app", image: { id: "localhost/test-kills:1" } }],
});

/** Brings the images and both pods back, whatever the last kill has left of them. */
async function settle(host: AgentHost, client: Client): Promise<void> {
  const insecure = "--insecure-options=image";
  const steps = [
    `gantry fetch ${insecure} ${host.image}`,
    `gantry fetch ${insecure} ${host.image.replace(/test-kills:1$/, "test-kills-other:1")}`,
    `gantry status busy || gantry prepare ${insecure} --name=busy ${host.image} --name=app`,
    // What a killed agent had begun, systemd brings to its end; a start that never reached it is none after 5 s.
    "for pod in busy idle new; do while gantry status $pod 2>/dev/null | grep -qE '^state=(start|stopp)ing'; do sleep 0.1; done; done",
    "gantry status busy | grep -q state=running || gantry start busy",
    `gantry status idle || gantry prepare ${insecure} --name=idle ${host.image} --name=app`,
    "gantry stop idle || true",
    `echo '${SHOP}' >/etc/gantry/pods/shop.json`,
    "gantry rm --force new || true",
  ];
  const { status, stderr } = await host.exec(["sh", "-ec", steps.join("\n")]);
  assert.equal(status, 0, stderr);
  await client.call("ListPods", {});
}

type Moment = { readonly kill: Kill; readonly phase: string };

/** Kills the agent as soon as an operation is in `phase`; whether it was still in it for all that we know. */
async function killAt(host: AgentHost, client: Client, { kill, phase }: Moment): Promise<boolean> {
  const [pid, owner] = [await agentPid(host), await askBus(client, "GetNameOwner", BUS_NAME)];
  const killer = await host.spawn(["sh", "-c", `read -r _; kill -9 ${pid}`]);
  await askBus(client, "AddMatch", "type='signal',sender='org.gantry1'");
  let struck = false;
  let later = false;
  const strike = () => {
    struck = true;
    killer.stdin.end("now\n");
  };
  client.bus.onSignal(({ path, member, body }) => {
    if (!path.startsWith("/org/gantry1/operation/")) return;
    const now = member === "PropertiesChanged" ? phaseOf(body[1]) : undefined;
    if (now === undefined) return;
    if (struck) later = true;
    else if (now === phase) strike();
  });
  // The phase may be told, and the agent killed, before the call that begins the work is answered.
  await kill.begin(client, host.image).catch((error: Error) => assert.match(error.name, /\.NoReply$/));
  if (phase === "queued" && !struck) strike();
  await Promise.race([killer.ended, new Promise((resolve) => setTimeout(resolve, 5000))]);
  if (!struck) strike();
  await killer.ended;
  await until(
    () => agentPid(host),
    (now) => now !== pid,
  );
  // The bus hears of the end by itself, and hands calls to the dead until then.
  await until(
    () => askBus(client, "GetNameOwner", BUS_NAME).catch(() => ""),
    (now) => now !== owner,
  );
  return struck && !later;
}

function phaseOf(changed: unknown): string | undefined {
  return (changed as { Phase?: { value: string } }).Phase?.value;
}

/** Asks the bus daemon itself. */
async function askBus(client: Client, member: string, argument: string): Promise<unknown> {
  const daemon = "org.freedesktop.DBus";
  const call = { destination: daemon, path: "/org/freedesktop/DBus", interface: daemon };
  return (await client.bus.call({ ...call, member, signature: "s", body: [argument] })).body[0];
}

/** Starts the agent; gives its pid. */
async function start(host: AgentHost, client: Client): Promise<number> {
  await client.call("ListPods", {});
  return await agentPid(host);
}

/** After a collection nothing unfinished is left. */
async function assertTidy(host: AgentHost): Promise<void> {
  assert.equal((await host.exec(["gantry", "gc", "--grace-period=0"])).status, 0);
  const unfinished = "find /var/lib/gantry -mindepth 1 -maxdepth 3 ( -name '.*' -o -path '*/inbox/*' )";
  const found = await host.exec(["sh", "-c", unfinished.replace("(", "\\(").replace(")", "\\)")]);
  assert.deepEqual([found.stdout, found.stderr], ["", ""]);
  await until(
    () => host.exec(["systemctl", "list-units", "--all", "--no-legend", "gantry-unpack*"]),
    ({ stdout }) => stdout === "",
  );
}
