/** What hostile apps, images and local users try against a host that runs pods. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { withPods } from "../fixtures/pod-host.ts";

const SLEEP = ["busybox", "--", "sleep", "1000"];

test("a command entered into an app gets no more of the caller's files than to read or write them", async (t) => {
  await withPods(t, { name: "attack-exec" }, async ({ gantry, output, shell }) => {
    for (const userns of ["host", "pod"]) {
      await output("run", "--detach", `--name=${userns}`, `--userns=${userns}`, ...SLEEP);
      await shell("printf old >/srv/out; chmod 600 /srv/out");
      const facts = await shell(`
        gantry exec ${userns} chmod 600 /proc/self/fd/1 >/dev/null 2>/srv/error
        gantry exec -i ${userns} chmod 600 /proc/self/fd/0 </dev/zero 2>>/srv/error
        gantry exec ${userns} sh -c 'chmod 4755 /proc/self/fd/1; (: >/proc/self/fd/1); echo new' >>/srv/out 2>>/srv/error
        gantry exec -i ${userns} sh -c 'ls /proc/self/fd/0/ 2>&1; cd /proc/self/fd/0 && cat shadow' </etc >/srv/listing 2>>/srv/error
        grep -c root /srv/listing
        stat -c %a /dev/null /dev/zero /srv/out; cat /srv/out`).catch(String);
      assert.match(facts, /^0\n666\n666\n600\noldnew$/, userns);
      const piped = await gantry(["exec", "-i", userns, "cat"], { input: "in and out" });
      assert.deepEqual(piped, { status: 0, stdout: "in and out", stderr: "" });
      assert.equal(
        await shell(`echo through | gantry exec -i ${userns} cat >/srv/copy; cat /srv/copy`),
        "through",
      );
    }
  });
});

test("a user of the host sees nothing of pods but that they run", async (t) => {
  await withPods(t, { name: "attack-local" }, async ({ host, output, shell }) => {
    await output("run", "--detach", "--name=secret", "--set-env=SECRET=hunter2", ...SLEEP);
    const uuid = JSON.parse(await output("list", "--format=json"))[0].uuid;
    const user = async (script: string) => {
      const { stdout } = await host.exec([
        "setpriv",
        "--reuid=nobody",
        "--regid=nogroup",
        "--clear-groups",
        "sh",
        "-c",
        script,
      ]);
      return stdout.trim();
    };
    const places = `/var/lib/gantry/pods/${uuid} /run/gantry/pods/${uuid} /var/lib/gantry/layers /var/lib/gantry/images /var/lib/gantry/blobs /var/lib/gantry/inbox`;
    assert.equal(await user(`for d in ${places}; do [ -r $d ] || [ -x $d ] && echo $d; done; true`), "");
    assert.equal(await user("find /var/lib/gantry /run/gantry -writable 2>/dev/null"), "");
    assert.equal(
      await user("cat /var/lib/gantry/names/secret/pod.json /var/lib/gantry/ids/* 2>/dev/null"),
      "",
    );
    const bus = (member: string) => `busctl call org.gantry1 /org/gantry1 org.gantry1.Manager ${member}`;
    const told = await user(
      `${bus("DescribePods")}; ${bus("DescribePod s secret")}; systemctl show 'gantry-secret*'; systemctl cat 'gantry-secret*'; cat /run/systemd/transient/gantry-*`,
    );
    assert.match(told, /gantry-secret/);
    assert.doesNotMatch(told, /hunter2/);
    await user("systemctl stop gantry-secret.service; systemctl kill gantry-secret.busybox.service");
    assert.equal(await shell("systemctl is-active gantry-secret.busybox.service"), "active");
  });
});

test("what an app prints stays a message of its own unit, whatever it contains", async (t) => {
  await withPods(t, { name: "attack-log" }, async ({ output, shell }) => {
    const script = String.raw`printf "a\0_SYSTEMD_UNIT=evil.service\n<0>prio\n\377\376bad\n_UID=0\nGANTRY_POD=other\n\n"
      head -c 100000 /dev/zero | tr "\0" A; echo; echo last`;
    await output("run", "--name=liar", "busybox", "--", "sh", "-c", script);
    const journal = await shell(
      "journalctl --sync; journalctl --all -o json GANTRY_APP=busybox SYSLOG_IDENTIFIER=busybox",
    );
    const entries = journal.split("\n").map((line) => JSON.parse(line));
    assert.ok(entries.some((entry) => entry.MESSAGE === "GANTRY_POD=other"));
    // What is left in the pipe at the app's end comes by another stream, and journald reads those in any order.
    assert.equal(entries.filter((entry) => entry.MESSAGE === "last").length, 1);
    const long = entries.filter((entry) => /^A+$/.test(String(entry.MESSAGE)));
    assert.equal(
      long.reduce((sum, entry) => sum + entry.MESSAGE.length, 0),
      100_000,
    );
    const facts = new Set(
      entries.map((entry) => [entry._SYSTEMD_UNIT, entry.GANTRY_POD, entry.PRIORITY].join(" ")),
    );
    assert.deepEqual([...facts], ["gantry-liar.busybox.service liar 6"]);
  });
});

test("an app cannot end the pod's init, nor talk to systemd through an error", async (t) => {
  await withPods(t, { name: "attack-init" }, async ({ host, gantry, output, shell }) => {
    const signals = "for s in KILL STOP SEGV HUP INT; do kill -$s 1; done; sleep 0.2; echo alive";
    assert.equal(await output("run", "busybox", "--", "sh", "-c", signals), "alive");
    await output("run", "--detach", "--name=victim", ...SLEEP);
    const pid = await shell("systemctl show -P MainPID gantry-victim.busybox.service");
    const liar = await gantry(["run", "busybox", `--exec=/bin/x\nMAINPID=${pid}\nREADY=1`]);
    assert.equal(liar.status, 127, liar.stderr);
    assert.match(liar.stderr, /\/bin\/x\\+x0aMAINPID/);
    assert.equal(
      (await host.exec(["systemctl", "is-active", "gantry-victim.busybox.service"])).stdout,
      "active\n",
    );
  });
});

test("a client that stopped reading does not keep a pod from stopping", async (t) => {
  await withPods(t, { name: "attack-stall" }, async ({ host, shell }) => {
    const took = await shell(`
      gantry run --insecure-options=image --name=loud busybox -- sh -c 'while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done' >/dev/null &
      front=$!; until gantry status loud 2>/dev/null | grep -q '^app-busybox=running$'; do sleep 0.1; done
      kill -STOP $front; sleep 0.5
      begin=$(date +%s); gantry stop loud >/dev/null; echo $(($(date +%s) - begin))
      kill -CONT $front; wait $front; echo $?`);
    const [seconds, status] = took.split("\n");
    assert.ok(Number(seconds) <= 90, took);
    assert.equal(status, "143");
    assert.equal((await host.exec(["systemctl", "is-active", "gantry-loud.service"])).stdout, "inactive\n");
  });
});
