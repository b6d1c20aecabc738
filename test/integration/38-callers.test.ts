/** Every verb from a user who is nobody in particular: with the agent, and with the agent masked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cleanUp, remains, remainsAtLast } from "../fixtures/faults.ts";
import { type PodHost, withPods } from "../fixtures/pod-host.ts";

const DENIED = 6;
const UNREACHABLE = 1;

/** What reading tells everybody. */
const READING = [["list"], ["status", "web"], ["image", "list"], ["image", "inspect", "busybox"]];

/** What is root's, or an administrator's word to give; `agent`: through the agent. */
const ACTING: readonly { readonly words: readonly string[]; readonly agent?: true }[] = [
  { words: ["run", "--insecure-options=image", "busybox", "--", "true"] },
  { words: ["run-prepared", "later"] },
  { words: ["exec", "web", "true"] },
  { words: ["enter", "web", "true"] },
  { words: ["gc"], agent: true },
  { words: ["gc", "--dry-run"] },
  { words: ["--dir=/tmp/elsewhere", "list"] },
  { words: ["cat-manifest", "web"] },
  { words: ["run", "--insecure-options=image", "--detach", "busybox"], agent: true },
  { words: ["prepare", "--insecure-options=image", "busybox"], agent: true },
  { words: ["start", "later"], agent: true },
  { words: ["stop", "web"], agent: true },
  { words: ["kill", "web"], agent: true },
  { words: ["rm", "--force", "web"], agent: true },
  { words: ["fetch", "--insecure-options=image", "oci-archive:/srv/busybox.tar"], agent: true },
  { words: ["image", "rm", "busybox"], agent: true },
];

async function twoPods({ output }: PodHost): Promise<void> {
  await output("run", "--detach", "--name=web", "busybox", "--", "sh", "-c", "echo secret; sleep 1000");
  await output("prepare", "--name=later", "busybox", "--", "true");
}

test("a user reads, and is denied everything else by name; nothing has changed", async (t) => {
  await withPods(t, { name: "stranger" }, async (pods) => {
    await twoPods(pods);
    const before = await remains(pods);
    for (const words of READING) {
      const asRoot = await pods.gantry(words);
      const result = await pods.host.user(["gantry", ...words]);
      assert.equal(result.status, 0, `${words}: ${result.stderr}`);
      assert.equal(result.stdout.split("\n").length, asRoot.stdout.split("\n").length, words.join(" "));
    }
    for (const { words } of ACTING) {
      const { status, stdout, stderr } = await pods.host.user(["gantry", ...words]);
      assert.deepEqual([status, stdout], [DENIED, ""], `${words}: ${stderr}`);
      assert.match(
        stderr,
        /^gantry: (not authorized for org\.gantry1\.|.*(only root|needs root))/,
        words.join(" "),
      );
    }
    const logs = await pods.host.user(["gantry", "logs", "web"]);
    assert.ok(!logs.stdout.includes("secret"), "the journal's own rights hold");
    assert.match(
      logs.stderr,
      /^gantry: the journal has nothing of pod "web" that user \d+ may read\nhint: .*adm/,
    );
    assert.equal(await remains(pods), before);
    await pods.output("rm", "--force", "web", "later");
    assert.equal(await remainsAtLast(pods), "");
  });
});

test("without the agent a user is told so by every verb that needs it; root needs it for none", async (t) => {
  await withPods(t, { name: "masked" }, async (pods) => {
    await pods.shell("systemctl mask --runtime --now gantry-agent.service dbus-org.gantry1.service");
    await twoPods(pods);
    const before = await remains(pods);
    for (const words of [
      ...READING,
      ["logs", "web"],
      ...ACTING.filter(({ agent }) => agent).map((one) => one.words),
    ]) {
      const { status, stdout, stderr } = await pods.host.user(["gantry", ...words]);
      const expected = words[0] === "run" ? 125 : UNREACHABLE;
      assert.deepEqual([status, stdout], [expected, ""], `${words}: ${stderr}`);
      assert.match(stderr, /^gantry: the agent cannot be reached: /, words.join(" "));
      assert.match(stderr, /\nhint: systemctl status gantry-agent\.service\n/, words.join(" "));
    }
    assert.equal(await remains(pods), before);
    for (const words of [
      ...READING,
      ["exec", "web", "true"],
      ["stop", "web"],
      ["start", "web"],
      ["stop", "web"],
    ]) {
      await pods.output(...words);
    }
    await pods.output("run-prepared", "later");
    await cleanUp(pods);
    await pods.output("image", "rm", "busybox");
    assert.equal(await remainsAtLast(pods), "");
  });
});
