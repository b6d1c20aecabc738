/** Installed pods over org.gantry1: by busctl alone, as a stranger, and as a user whom polkit lets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AgentHost, type Client, connectClient, importImage, withAgentHost } from "../fixtures/agent.ts";
import { putPolkitRule } from "../fixtures/polkit.ts";
import type { Result } from "../host/host.ts";

const INSECURE = { insecure: ["image"] } as const;

/** A definition of a pod of one app that sleeps; its app is described from line 4 on. */
function definition(image: string, more: object = {}): string {
  const apps = [{ name: "app", image: { id: image }, args: ["sleep", "1000"] }];
  return JSON.stringify({ acKind: "PodManifest", acVersion: "0.8.11", apps, ...more }, null, 2);
}

function withFilter(image: string, kind: "retain" | "remove", call: string): object {
  const isolators = [{ name: `os/linux/seccomp-${kind}-set`, value: { set: [call] } }];
  const app = { exec: ["/bin/sleep", "9"], user: "0", group: "0", isolators };
  return { name: "app", image: { id: image }, app };
}

type Body = (host: AgentHost, client: Client, image: string) => Promise<void>;

async function withImage(t: Parameters<typeof withAgentHost>[0], name: string, body: Body): Promise<void> {
  await withAgentHost(t, { name }, async (host) => {
    await using client = await connectClient(host);
    await body(host, client, await importImage(host, client));
  });
}

/** Waits for an operation that busctl began, and gives its result, or the error's name and text. */
async function outcome(client: Client, begun: Result): Promise<string> {
  const operation = /"([^"]+)"/.exec(begun.stdout)?.[1];
  assert.ok(operation !== undefined, begun.stderr);
  const { Result: result, Error: error } = await client.ended(operation);
  return error[0] === "" ? result : `${error[0].replace("org.gantry1.Error.", "")}: ${error[1]}`;
}

async function active(host: AgentHost, unit: string): Promise<string> {
  return (await host.exec(["systemctl", "is-active", unit])).stdout.trim();
}

test("installed over the bus: busctl installs, refreshes and uninstalls a pod that systemctl starts", async (t) => {
  await withImage(t, "bus-install", async (host, client, image) => {
    const insecure = ["1", "insecure", "as", "1", "image"];
    const install = (text: string) =>
      host.manager("InstallPod", "ssa{sv}", text, "/home/me/web.json", ...insecure);
    const id = await outcome(client, await install(definition(image)));
    assert.match(id, /^[0-9a-f]{32}$/);
    const listed = await host.manager("ListInstalledPods");
    assert.equal(
      listed.stdout.trim(),
      'a(sss) 1 "web" "gantry@web.service" "/etc/gantry/pods/web.json"',
      listed.stderr,
    );
    assert.equal((await host.exec(["systemctl", "start", "gantry@web"])).status, 0);
    assert.equal(await active(host, "gantry-web.app.service"), "active");

    const busy = await outcome(client, await host.manager("RefreshPod", "sa{sv}", "web", "0"));
    assert.equal(busy, 'PodBusy: pod "web" is running');
    assert.equal(await active(host, "gantry-web.app.service"), "active");
    const again = await client.call("InstallPod", {
      ...{ definition: definition(image, { name: "web" }), origin: "other.json", options: INSECURE },
    });
    assert.equal(await client.done(again), id, "a pod that runs stays");
    assert.equal((await host.exec(["systemctl", "stop", "gantry@web"])).status, 0);
    const fresh = await outcome(client, await host.manager("RefreshPod", "sa{sv}", "web", "0"));
    assert.match(fresh, /^[0-9a-f]{32}$/);
    assert.notEqual(fresh, id, "its definition has changed");
    assert.equal(await outcome(client, await host.manager("RefreshPod", "sa{sv}", "web", "0")), fresh);

    const removed = await outcome(client, await host.manager("UninstallPod", "sa{sv}", "web", "0"));
    assert.equal(removed, "/etc/gantry/pods/web.json");
    assert.equal((await host.manager("ListInstalledPods")).stdout.trim(), "a(sss) 0");
    const left = await host.exec(["ls", "-A", "/etc/gantry/pods", "/var/lib/gantry/pods"]);
    assert.equal(left.stdout, "/etc/gantry/pods:\n\n/var/lib/gantry/pods:\n");
  });
});

test("installed over the bus: what is wrong is named by file, line and key, and nothing is installed", async (t) => {
  await withImage(t, "bus-wrong", async (host, client, image) => {
    const good = definition(image);
    const install = (text: string, origin = "/home/me/web.json") =>
      client.call("InstallPod", { definition: text, origin, options: INSECURE });
    const refusals: [text: string, origin: string, error: string, words: RegExp][] = [
      [
        good.replace('"args"', '"argz"'),
        "/home/me/web.json",
        "BadManifest",
        /^"\/home\/me\/web\.json" line 5: apps\[0\]: unknown key "argz"/,
      ],
      [good.slice(0, 60), "/home/me/web.json", "BadManifest", /^"\/home\/me\/web\.json".* is not JSON/],
      [good, "/home/me/We b.json", "BadManifest", /^"\/home\/me\/We b\.json": "We b" is no name for a pod/],
      [
        good,
        `/home/me/${"a".repeat(64)}.json`,
        "BadManifest",
        /^"\/home\/me\/a{64}\.json": "a{64}" is no name for a pod/,
      ],
      [good.replace("{", '{\n"__proto__": {},'), "web.json", "BadManifest", /unknown key "__proto__"/],
    ];
    for (const [text, origin, kind, words] of refusals) {
      await assert.rejects(install(text, origin), (error: Error) => {
        assert.equal(error.name, `org.gantry1.Error.${kind}`);
        assert.match(error.message, words);
        return true;
      });
    }
    await assert.rejects(
      install(" ".repeat(5_000_000)),
      /InstallPod takes "ssa\{sv\}", at most 256 KiB of it/,
    );
    for (const name of ["web", "../pods/web", "", "a".repeat(1000)]) {
      for (const member of ["RefreshPod", "UninstallPod"] as const) {
        await assert.rejects(client.call(member, { name, options: {} }), {
          name: "org.gantry1.Error.NoSuchPod",
          message: /^no pod ".*" is installed/,
        });
      }
    }
    const missing = await client.ended(await install(definition("nowhere")));
    assert.deepEqual([missing.Phase, missing.Error[0]], ["failed", "org.gantry1.Error.NoSuchImage"]);
    for (const [kind, call] of [
      ["retain", "write"],
      ["remove", "mkdir"],
    ] as const) {
      const filtered = await install(
        definition(image, { apps: [withFilter(image, kind, call)] }),
        `${kind}.json`,
      );
      assert.match(await client.done(filtered), /^[0-9a-f]{32}$/, "no errno: the process is killed");
      await client.done(await client.call("UninstallPod", { name: kind, options: {} }));
    }
    const filtered = await client.ended(
      await install(definition(image, { apps: [withFilter(image, "remove", "nosuchcall")] })),
    );
    assert.deepEqual(filtered.Error, [
      "org.gantry1.Error.BadManifest",
      'app "app": linux.seccomp.syscalls[0]: unknown system call nosuchcall',
    ]);
    const request = JSON.stringify({ name: "taken", apps: [{ image, name: "app" }] });
    await client.done(await client.call("PreparePod", { request, options: INSECURE }));
    const taken = await client.ended(await install(good, "taken.json"));
    assert.equal(taken.Error[0], "org.gantry1.Error.PodExists");
    assert.match(taken.Error[1], /"taken" exists and is not installed/);
    await host.put("/usr/lib/gantry/pods/vendor.json", good);
    const vendor = await client.ended(await client.call("UninstallPod", { name: "vendor", options: {} }));
    assert.equal(vendor.Error[0], "org.gantry1.Error.AccessDenied");
    assert.match(vendor.Error[1], /"\/usr\/lib\/gantry\/pods\/vendor\.json" belongs to the vendor/);
    assert.deepEqual(await client.call("ListInstalledPods", {}), [
      ["vendor", "gantry@vendor.service", "/usr/lib/gantry/pods/vendor.json"],
    ]);
    assert.equal((await host.exec(["ls", "-A", "/etc/gantry/pods"])).stdout, "");
  });
});

test("installed over the bus: many installations of one name at once leave one pod", async (t) => {
  await withImage(t, "bus-race", async (host, client, image) => {
    const begun = await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        client.call("InstallPod", {
          ...{ definition: definition(image, { annotations: [{ name: "round", value: String(at) }] }) },
          ...{ origin: "web.json", options: INSECURE },
        }),
      ),
    );
    const ends = await Promise.all(begun.map((operation) => client.ended(operation)));
    for (const { Error: error } of ends) assert.match(error[0], /^$|\.PodExists$|\.PodBusy$/, error[1]);
    assert.ok(ends.some(({ Error: error }) => error[0] === ""));
    assert.equal((await host.exec(["systemctl", "start", "gantry@web"])).status, 0);
    assert.equal((await client.call("ListPods", {})).filter(([, name]) => name === "web").length, 1);
    assert.equal((await host.exec(["ls", "-A", "/etc/gantry/pods"])).stdout, "web.json\n");
  });
});

function rule(condition: string): string {
  return `polkit.addRule(function (action, subject) {\n  if (${condition}) return polkit.Result.YES;\n});\n`;
}

test("installed over the bus: a user's gantry install reads the file as the user, and polkit decides", async (t) => {
  await withImage(t, "user-install", async (host, _, image) => {
    const put = (name: string, text: string) => host.put(`/home/tester/${name}`, text);
    const install = (...words: string[]) =>
      host.user(["gantry", "install", "--insecure-options=image", ...words]);
    await put("web.json", definition(image));
    await put("db.json", definition(image));
    await put("bad.json", definition(image).replace('"args"', '"argz"'));
    await host.put("/root/secret.json", definition(image), 0o600);

    const denied = await install("web.json");
    assert.equal(denied.status, 6, denied.stdout);
    assert.match(denied.stderr, /^gantry: not authorized for org\.gantry1\.pod\.install on "web"/);
    const bad = await install("bad.json");
    assert.equal(bad.status, 1);
    assert.match(bad.stderr, /^gantry: "bad\.json" line 5: apps\[0\]: unknown key "argz"/);
    const secret = await install("/root/secret.json");
    assert.equal(secret.status, 2);
    assert.match(secret.stderr, /"\/root\/secret\.json" cannot be read: permission denied/);
    assert.equal((await host.exec(["ls", "-A", "/etc/gantry/pods"])).stdout, "");

    const web = 'action.id.indexOf("org.gantry1.pod.") === 0 && action.lookup("pod") === "web"';
    await putPolkitRule(host, "10-web", rule(web));
    const unsigned = await install("web.json");
    assert.equal(unsigned.status, 6);
    assert.match(unsigned.stderr, /not authorized for org\.gantry1\.image\.skip-verification/);
    await putPolkitRule(host, "11-unsigned", rule('action.id === "org.gantry1.image.skip-verification"'));
    const installed = await install("web.json");
    assert.deepEqual([installed.status, installed.stdout], [0, "gantry@web.service\n"], installed.stderr);
    const other = await install("db.json");
    assert.deepEqual([other.status, /on "db"/.test(other.stderr)], [6, true], other.stderr);
    const named = await host.user(
      ["busctl", "call", "org.gantry1", "/org/gantry1", "org.gantry1.Manager"].concat([
        "UninstallPod",
        "sa{sv}",
        "../pods/web",
        "0",
      ]),
    );
    assert.match(named.stderr, /no pod "\.\.\/pods\/web" is installed/);

    assert.equal((await host.exec(["systemctl", "start", "gantry@web"])).status, 0);
    assert.match((await host.user(["gantry", "list"])).stdout, /\bweb\b.*\brunning\b/);
    for (const verb of ["restart", "stop", "start"]) {
      const done = await host.user(["gantry", verb, "web"]);
      assert.match(done.stdout, /^[0-9a-f]{32}\n$/, done.stderr);
      const states = [await active(host, "gantry@web"), await active(host, "gantry-web.app.service")];
      assert.deepEqual(states, verb === "stop" ? ["inactive", "inactive"] : ["active", "active"], verb);
    }
    const again = await install("web.json");
    assert.match(again.stderr, /the pod runs: what has changed takes effect with its next start/);
    assert.equal((await host.exec(["systemctl", "stop", "gantry@web"])).status, 0);
    const refreshed = await host.user(["gantry", "refresh", "web"]);
    assert.match(refreshed.stdout, /^[0-9a-f]{32}\n$/, refreshed.stderr);
    const removed = await host.user(["gantry", "uninstall", "web"]);
    assert.equal(removed.stdout, "removed /etc/gantry/pods/web.json\n", removed.stderr);
    const gone = await host.user(["gantry", "uninstall", "web"]);
    assert.deepEqual([gone.status, /no pod "web" is installed/.test(gone.stderr)], [4, true], gone.stderr);
  });
});
