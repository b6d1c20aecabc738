/** Who may do what over org.gantry1: root everything, everybody the reading, and polkit's rules the rest. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type AgentHost, connectClient, importImage, sleeper, withAgentHost } from "../fixtures/agent.ts";
import { putPolkitRule } from "../fixtures/polkit.ts";
import type { Result } from "../host/host.ts";

const NAME = "org.gantry1";
const ROOT = "/org/gantry1";
const MANAGER = "org.gantry1.Manager";
const INSECURE = ["1", "insecure", "as", "1", "image"];

/** A host with the image imported, pod "web" running and pod "db" prepared. */
async function withPods(
  t: Parameters<typeof withAgentHost>[0],
  name: string,
  body: (host: AgentHost, image: string) => Promise<void>,
): Promise<void> {
  await withAgentHost(t, { name }, async (host) => {
    await using client = await connectClient(host);
    const image = await importImage(host, client);
    const options = { insecure: ["image"] };
    await client.done(await client.call("RunPod", { request: sleeper(image, "web"), options }));
    await client.done(await client.call("PreparePod", { request: sleeper(image, "db"), options }));
    await body(host, image);
  });
}

function call(...words: string[]): string[] {
  return ["busctl", "call", NAME, ROOT, MANAGER, ...words];
}

function refused(result: Result, text: RegExp): void {
  assert.equal(result.status, 1, result.stdout);
  assert.match(result.stderr, text);
}

test("authorization: reading is free", async (t) => {
  await withPods(t, "reading", async (host, image) => {
    const list = await host.user(call("ListPods"));
    assert.match(list.stdout, /^a\(sssottt\) 2 /, list.stderr);
    assert.match((await host.user(call("InspectImage", "s", image))).stdout, /^s "\{/);
    const all = await host.user([
      "busctl",
      "call",
      NAME,
      ROOT,
      "org.freedesktop.DBus.ObjectManager",
      "GetManagedObjects",
    ]);
    assert.match(all.stdout, /"org\.gantry1\.Pod" /);
    assert.doesNotMatch(all.stdout, /environment/i);
  });
});

const DEFINITION =
  '{"acKind":"PodManifest","acVersion":"0.8.11","apps":[{"name":"a","image":{"id":"nothing"}}]}';

/** "web" runs, "db" is prepared, "shop" is installed. */
const PRIVILEGED: readonly (readonly [action: string, ...words: string[]])[] = [
  ["pod.prepare", "PreparePod", "sa{sv}", '{"name":"x","apps":[{"image":"nothing"}]}', "0"],
  ["pod.run", "RunPod", "sa{sv}", '{"name":"x","apps":[{"image":"nothing"}]}', "0"],
  ["pod.start", "StartPod", "sa{sv}", "db", "0"],
  ["pod.stop", "StopPod", "sa{sv}", "web", "0"],
  ["pod.restart", "RestartPod", "sa{sv}", "web", "0"],
  ["pod.kill", "KillPod", "sia{sv}", "web", "9", "0"],
  ["pod.remove", "RemovePod", "sa{sv}", "db", "0"],
  ["pod.install", "InstallPod", "ssa{sv}", DEFINITION, "/home/me/web.json", "0"],
  ["pod.refresh", "RefreshPod", "sa{sv}", "shop", "0"],
  ["pod.uninstall", "UninstallPod", "sa{sv}", "shop", "0"],
  ["image.fetch", "FetchImage", "sa{sv}", "/etc/shadow", "0"],
  ["image.remove", "RemoveImage", "sa{sv}", "IMAGE", "0"],
  ["trust.change", "FetchKeys", "sasa{sv}", "example.com", "0", "0"],
  ["trust.change", "ReviewKeys", "sa{sv}", "no key", "0"],
  ["trust.change", "TrustKeys", "sasa{sv}", "no key", "0", "1", "root", "b", "true"],
  ["trust.change", "TrustRule", "sa{sv}", '{"scope":"*","requirements":[{"kind":"unsigned"}]}', "0"],
  ["trust.change", "TrustDigest", "ssa{sv}", "example.com/x", "sha256:0", "0"],
  ["trust.change", "Distrust", "sa{sv}", "example.com/x", "0"],
  ["gc", "CollectGarbage", "a{sv}", "0"],
];

test("authorization: every verb is refused to a stranger, and nothing has changed", async (t) => {
  await withPods(t, "refusals", async (host, image) => {
    await host.put("/etc/gantry/pods/shop.json", DEFINITION);
    const before = (await host.manager("DescribePods")).stdout;
    for (const [action, ...words] of PRIVILEGED) {
      const named = words.map((word) => (word === "IMAGE" ? image : word));
      // Nobody can be asked in this session, so a question would be as good as a refusal.
      refused(await host.user(call(...named)), new RegExp(`not authorized for org\\.gantry1\\.${action}`));
      const quiet = ["busctl", "--allow-interactive-authorization=no", ...call(...named).slice(1)];
      refused(await host.user(quiet), /Interactive authentication required/);
    }
    assert.equal((await host.manager("DescribePods")).stdout, before);
    assert.match((await host.manager("ListImages")).stdout, /^a\(sastto\) 1 /);
    assert.equal((await host.exec(["ls", "-A", "/etc/gantry/pods"])).stdout, "shop.json\n");
    assert.equal((await host.manager("ListOperations")).stdout.match(/"image\.fetch"/g)?.length, 1);
  });
});

test("authorization: the example lets group web restart pod web, and nothing else", async (t) => {
  await withPods(t, "rule", async (host) => {
    await putPolkitRule(host, "50-gantry-web", readFileSync("packaging/polkit/50-gantry-web.rules", "utf8"));
    refused(await host.user(call("RestartPod", "sa{sv}", "web", "0")), /not authorized/);
    assert.equal((await host.exec(["groupadd", "web"])).status, 0);
    assert.equal((await host.exec(["usermod", "-aG", "web", "tester"])).status, 0);
    const main = ["systemctl", "show", "-P", "MainPID", "gantry-web.app.service"];
    const before = (await host.exec(main)).stdout;
    const allowed = await host.user(call("RestartPod", "sa{sv}", "web", "0"));
    assert.equal(allowed.status, 0, allowed.stderr);
    await ended(host, allowed);
    const after = (await host.exec(main)).stdout;
    assert.notEqual(after, before);
    assert.notEqual(after.trim(), "0");
    for (const words of [
      ["RestartPod", "sa{sv}", "db", "0"],
      ["StopPod", "sa{sv}", "web", "0"],
      ["KillPod", "sia{sv}", "web", "9", "0"],
    ]) {
      refused(await host.user(call(...words)), /not authorized/);
    }
    assert.equal((await host.exec(main)).stdout, after);
  });
});

test("authorization: the image that polkit is asked about is the one that runs, whatever a manifest calls it", async (t) => {
  await withPods(t, "called", async (host, image) => {
    const good = 'action.lookup("image") === "registry.corp/good"';
    await putPolkitRule(host, "10-good", rule(good));
    const apps = [{ name: "app", image: { id: image, name: "registry.corp/good" } }];
    const manifest = JSON.stringify({ acKind: "PodManifest", acVersion: "0.8.11", name: "called", apps });
    const prepare = call("PreparePod", "sa{sv}", manifest, ...INSECURE);
    refused(await host.user(prepare), /not authorized for org\.gantry1\.pod\.prepare on "called"/);
    const nameless = JSON.stringify({ acKind: "PodManifest", acVersion: "0.8.11", apps });
    const unnamed = await host.user(call("PreparePod", "sa{sv}", nameless, ...INSECURE));
    refused(unnamed, /not authorized for org\.gantry1\.pod\.prepare$/m);
    await ended(host, await host.exec(prepare));
    const start = await host.user(call("StartPod", "sa{sv}", "called", "0"));
    refused(start, /not authorized for org\.gantry1\.pod\.start on "called"/);
    await putPolkitRule(host, "20-gc", rule('action.id === "org.gantry1.gc"'));
    const collected = await host.user(["gantry", "gc"]);
    assert.deepEqual([collected.status, collected.stdout, collected.stderr], [0, "", ""]);
    assert.match((await host.manager("ListPods")).stdout, /"called"/, "what is young stays");
  });
});

async function ended(host: AgentHost, begun: Result): Promise<void> {
  const operation = /"([^"]+)"/.exec(begun.stdout)?.[1] ?? "";
  for (;;) {
    const { stdout } = await host.exec([
      "busctl",
      "get-property",
      NAME,
      operation,
      "org.gantry1.Operation",
      "Phase",
    ]);
    if (/done|failed|cancelled/.test(stdout)) return assert.equal(stdout.trim(), 's "done"');
  }
}

test("authorization: an image without a signature needs an action of its own", async (t) => {
  await withAgentHost(t, { name: "insecure" }, async (host) => {
    await putPolkitRule(host, "10-fetch", rule('action.id === "org.gantry1.image.fetch"'));
    await putPolkitRule(host, "11-run", rule('action.id === "org.gantry1.pod.run"'));
    refused(
      await host.user(call("FetchImage", "sa{sv}", host.image, ...INSECURE)),
      /not authorized for org\.gantry1\.image\.skip-verification on "oci:/,
    );
    refused(
      await host.user(call("RunPod", "sa{sv}", sleeper(host.image, "web"), ...INSECURE)),
      /not authorized for org\.gantry1\.image\.skip-verification/,
    );
    const signed = await host.user(call("FetchImage", "sa{sv}", host.image, "0"));
    assert.equal(signed.status, 0, signed.stderr);
    assert.match((await host.manager("ListImages")).stdout, /^a\(sastto\) 0/);
  });
});

function rule(condition: string): string {
  return `polkit.addRule(function (action, subject) {\n  if (${condition}) return polkit.Result.YES;\n});\n`;
}

test("authorization: details name the verb, the pod and the image", async (t) => {
  await withPods(t, "details", async (host) => {
    const stop = `action.id === "org.gantry1.pod.stop" && action.lookup("verb") === "stop" &&
      action.lookup("pod") === "web" && /^[0-9a-f]{32}$/.test(action.lookup("uuid")) &&
      /^localhost\\/test-details:1$/.test(action.lookup("image"))`;
    const fetch = `action.id === "org.gantry1.image.fetch" && action.lookup("verb") === "fetch" &&
      action.lookup("image") === "oci:/srv/app" && !action.lookup("pod")`;
    await putPolkitRule(host, "10-stop", rule(stop));
    await putPolkitRule(host, "10-fetch", rule(fetch));
    const url = `action.id === "org.gantry1.image.fetch" &&
      action.lookup("image") === "https://example.com/app.aci"`;
    await putPolkitRule(host, "10-url", rule(url));
    const stopped = await host.user(call("StopPod", "sa{sv}", "web", "0"));
    assert.equal(stopped.status, 0, stopped.stderr);
    const fetched = await host.user(call("FetchImage", "sa{sv}", "oci:/srv/app", "0"));
    assert.equal(fetched.status, 0, fetched.stderr);
    const presigned = "https://user:secret@example.com/app.aci?signature=secret";
    const bare = await host.user(call("FetchImage", "sa{sv}", presigned, "0"));
    assert.equal(bare.status, 0, bare.stderr);
    refused(await host.user(call("FetchImage", "sa{sv}", "oci:/srv/other", "0")), /on "oci:\/srv\/other"/);
  });
});

test("authorization: everybody may cancel his own operation, and only that", async (t) => {
  await withPods(t, "cancel", async (host) => {
    await putPolkitRule(host, "10-stop", rule('action.id === "org.gantry1.pod.restart"'));
    await using client = await connectClient(host);
    const cancel = (operation: string) =>
      host.user(["busctl", "call", NAME, operation, "org.gantry1.Operation", "Cancel"]);
    const foreign = await client.call("RestartPod", { pod: "web", options: {} });
    refused(await cancel(foreign), /not authorized for org\.gantry1\.operation\.cancel/);
    await client.done(foreign);
    const own =
      /"([^"]+)"/.exec((await host.user(call("RestartPod", "sa{sv}", "web", "0"))).stdout)?.[1] ?? "";
    const cancelled = await cancel(own);
    assert.equal(cancelled.status, 0, cancelled.stderr);
  });
});

test("authorization: the command line of a stranger reads through the bus, and acts when allowed to", async (t) => {
  await withPods(t, "verbs", async (host, image) => {
    const list = await host.user(["gantry", "list", "--format=json"]);
    assert.deepEqual(
      JSON.parse(list.stdout),
      JSON.parse((await host.exec(["gantry", "list", "--format=json"])).stdout),
    );
    assert.match((await host.user(["gantry", "status", "web"])).stdout, /^state=running$/m);
    assert.match((await host.user(["gantry", "image", "list"])).stdout, /insecure/);
    for (const words of [
      ["stop", "web"],
      ["rm", "--force", "web"],
      ["start", "db"],
      ["restart", "web"],
      ["kill", "web"],
      ["run", "--detach", image],
      ["image", "rm", image],
    ]) {
      const denied = await host.user(["gantry", ...words]);
      assert.equal(denied.status, 6, `gantry ${words.join(" ")}: ${denied.stdout}${denied.stderr}`);
      assert.match(denied.stderr, /^gantry: not authorized for org\.gantry1\./);
    }
    const foreground = await host.user(["gantry", "run", image]);
    assert.deepEqual(
      [foreground.status, foreground.stderr.split("\n")[0]],
      [6, "gantry: only root runs a pod in the foreground"],
    );
    const elsewhere = await host.user(["gantry", "--dir=/tmp/x", "list"]);
    assert.deepEqual(
      [elsewhere.status, elsewhere.stderr.trim()],
      [6, 'gantry: only root may work on "/tmp/x"'],
    );
    await putPolkitRule(host, "10-all", rule('action.id.indexOf("org.gantry1.") === 0'));
    const ran = await host.user([
      "gantry",
      "run",
      "--insecure-options=image",
      "--detach",
      "--name=mine",
      image,
    ]);
    assert.match(ran.stdout, /^[0-9a-f]{32}\n$/, ran.stderr);
    assert.match((await host.user(["gantry", "status", "mine"])).stdout, /^state=running$/m);
    for (const words of [
      ["stop", "mine"],
      ["start", "mine"],
      ["kill", "--signal=KILL", "mine"],
    ]) {
      const done = await host.user(["gantry", ...words]);
      assert.equal(done.status, 0, `gantry ${words.join(" ")}: ${done.stderr}`);
    }
    assert.match((await host.user(["gantry", "status", "--wait=60s", "mine"])).stdout, /^state=exited$/m);
    // More operations of one command than the bus would have match rules for, were they kept.
    const again = await host.user(["gantry", "stop", ...Array(300).fill("mine")]);
    assert.deepEqual([again.status, again.stderr], [0, ""]);
    const removed = await host.user(["gantry", "rm", "mine"]);
    assert.equal(removed.stdout, ran.stdout, removed.stderr);
    const missing = await host.user(["gantry", "rm", "mine"]);
    assert.deepEqual([missing.status, missing.stderr.split("\n")[0]], [4, 'gantry: there is no pod "mine"']);
  });
});

test("authorization: an administrator at a terminal is asked for the password, and heard", async (t) => {
  await withPods(t, "password", async (host) => {
    assert.equal((await host.exec(["chpasswd"], { input: "tester:sesame\n" })).status, 0);
    assert.equal((await host.exec(["usermod", "-aG", "sudo", "tester"])).status, 0);
    const stop = (password: string) => {
      // The answer is typed until it is heard: what comes before and shortly after the question is thrown away.
      const script = `rm -f in out; mkfifo in; script -qefc "gantry stop web" out <in >/dev/null & exec 3<>in
        until grep -q "Password:" out; do sleep 0.1; done
        while kill -0 $!; do echo ${password} >&3; sleep 1; done 2>/dev/null; wait $!; status=$?; cat out; exit $status`;
      return host.user(["sh", "-c", script]);
    };
    const wrong = await stop("guess");
    assert.match(wrong.stdout, /Authentication is required to stop pod "web"/);
    assert.equal(wrong.status, 6, wrong.stdout);
    assert.match((await host.exec(["gantry", "status", "web"])).stdout, /^state=running$/m);
    const right = await stop("sesame");
    assert.equal(right.status, 0, right.stdout);
    assert.match((await host.exec(["gantry", "status", "web"])).stdout, /^state=exited$/m);
    assert.equal((await host.exec(["sh", "-c", "grep -l pkttyagent /proc/[0-9]*/comm"])).stdout, "");
  });
});

test("authorization: root's command line does without the agent and without the bus policy", async (t) => {
  await withPods(t, "masked", async (host) => {
    assert.equal((await host.exec(["systemctl", "stop", "gantry-agent.service"])).status, 0);
    const masked = await host.exec(["systemctl", "mask", "--runtime", "gantry-agent.service"]);
    assert.equal(masked.status, 0, masked.stderr);
    assert.match((await host.exec(["gantry", "status", "web"])).stdout, /^state=running$/m);
    assert.equal((await host.exec(["gantry", "stop", "web"])).status, 0);
    assert.equal((await host.exec(["gantry", "rm", "web"])).status, 0);
    const stranger = await host.user(["gantry", "list"]);
    assert.equal(stranger.status, 1);
    assert.match(
      stranger.stderr,
      /^gantry: the agent cannot be reached: .*\nhint: systemctl status gantry-agent\.service\n$/,
    );
  });
});
