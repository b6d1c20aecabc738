/** pid 1 of a pod: what it is, what it may do, and what its end means. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "../../fixtures/until.ts";
import { openPlace, type Place } from "../gantry/place.ts";

const KILL_AND_SYS_ADMIN = "0000000000200020";

describe("the sandbox", () => {
  let place: Place;
  before(async () => {
    place = await openPlace({ name: "sandbox" });
  });
  after(async () => {
    await place[Symbol.asyncDispose]();
  });

  const pidOf = async (pod: string): Promise<string> =>
    (await place.shell(`systemctl show -P MainPID gantry-${pod}.service`)).stdout.trim();

  test("it is pid 1 of the pod, systemd's child, and holds two capabilities and no file", async () => {
    await place.sleeper("look");
    const pid = await pidOf("look");
    const { stdout } = await place.shell(`cat /proc/${pid}/status; readlink /proc/${pid}/fd/*`);
    assert.match(stdout, /^PPid:\t1$/m);
    assert.match(stdout, /^NSpid:\t\d+\t1$/m);
    for (const set of ["CapPrm", "CapEff", "CapBnd"])
      assert.match(stdout, new RegExp(`^${set}:\t${KILL_AND_SYS_ADMIN}$`, "m"));
    assert.match(stdout, /^NoNewPrivs:\t1$/m);
    assert.match(stdout, /^Seccomp:\t2$/m);
    assert.match(stdout, /^anon_inode:\[signalfd\]$/m);
    assert.doesNotMatch(stdout, /^\//m);
  });

  test("what its start has relocated is read-only", async () => {
    await place.sleeper("relocated");
    const pid = await pidOf("relocated");
    const maps = (await place.shell(`grep gantry-init /proc/${pid}/maps`)).stdout.split("\n");
    const spans = maps.map((line) => /^(\w+)-(\w+) (....)/.exec(line) ?? []);
    const { stdout } = await place.shell("readelf --wide --program-headers /usr/lib/gantry/gantry-init");
    const [, offset = "", size = ""] = /GNU_RELRO +\w+ (\w+) \w+ \w+ (\w+)/.exec(stdout) ?? [];
    const last = Number.parseInt(spans[0]?.[1] ?? "", 16) + Number(offset) + Number(size) - 1;
    const span = spans.find(
      ([, begin = "", end = ""]) => last >= Number(`0x${begin}`) && last < Number(`0x${end}`),
    );
    assert.equal(span?.[3], "r--p", `${stdout}\n${maps.join("\n")}`);
  });

  test("an app finds nothing behind /proc/1", async () => {
    const ended = await place.run(
      "ls /proc/1/root/; cat /proc/1/environ; readlink /proc/1/fd/0; readlink /proc/1/exe; true",
      ["--userns=host"],
    );
    assert.equal(ended.stdout, "");
    assert.equal(
      ended.stderr.split("\n").filter((line) => /[Pp]ermission denied/.test(line)).length,
      2,
      ended.stderr,
    );
  });

  test("it has the pod's name and a loopback interface, and no other", async () => {
    const ended = await place.run("hostname; ls /sys/class/net; grep -c . /proc/net/if_inet6", [
      "--name=names",
      "--hostname=called",
    ]);
    assert.equal(ended.stdout, "called\nlo\n1\n");
  });

  test("a process of the pod can't end it, and orphans leave no zombies", async () => {
    const script =
      "kill -TERM 1; kill -KILL 1; (sleep 0.05 &); (sleep 0.05 &); sleep 0.3; while ps -o stat | grep -q Z; do sleep 0.1; done; echo alive";
    assert.equal((await place.run(script)).stdout, "alive\n");
  });

  test("without its pod's pid 1 an app is killed, and both ends are on disk", async () => {
    await place.sleeper("lost");
    await place.shell(
      `kill -KILL ${await pidOf("lost")}; until ! systemctl -q is-active gantry-lost.app.service; do sleep 0.02; done`,
    );
    await place.shell(
      "cd /var/lib/gantry/names/lost; until [ -e ended ] && [ -e apps/app/status/exit ]; do sleep 0.02; done",
    );
    const { stdout } = await place.shell(
      "cat /var/lib/gantry/names/lost/ended /var/lib/gantry/names/lost/apps/app/status/exit",
    );
    const [pod, app] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(pod.result, "signal");
    assert.deepEqual([app.code, app.status], ["killed", 9]);
  });

  test("a forced stop ends an app that ignores TERM", async () => {
    const started = await place.run("trap '' TERM; echo up; while :; do sleep 0.05; done", [
      "--detach",
      "--name=deaf",
    ]);
    assert.equal(started.status, 0, started.stderr);
    const stopped = await place.shell("gantry stop --force deaf; systemctl is-active gantry-deaf.service");
    assert.match(stopped.stdout, /inactive|failed/);
  });

  test("who is asked to end has its time, however much it says meanwhile", async () => {
    // One packet of the relay's at a time, more than there are hundredths of a second: 2441 of 16 KiB, 20 s.
    const last = `head -c 40000000 /dev/zero | tr "\\0" x; echo; echo last; exit`;
    const script = `trap '${last}' TERM; touch /up; while :; do sleep 0.05; done`;
    const prepare = ["gantry", "prepare", "--insecure-options=image", "--net=none", "--name=talker"];
    const app = [place.image, "--name=app", "--exec=/bin/sh", "--", "-c", script];
    const prepared = await place.host.exec([...prepare, ...app]);
    assert.equal(prepared.status, 0, prepared.stderr);
    const started = await place.shell(`cd /var/lib/gantry/names/talker &&
      sed -i 's/"grace": *2\\b/"grace":20/' sandbox.json && grep -q '"grace":20\\b' sandbox.json &&
      gantry start talker && until [ -e apps/app/upper/up ]; do sleep 0.05; done`);
    assert.equal(started.status, 0, started.stderr);
    await place.shell(`systemctl kill --kill-whom=main -s TERM gantry-talker.service
      while systemctl -q is-active gantry-talker.service; do sleep 0.02; done; journalctl --sync`);
    const { stdout } = await place.shell(
      "journalctl -o cat -u gantry-talker.app.service SYSLOG_IDENTIFIER=app | grep -x last",
    );
    assert.equal(stdout, "last\n");
  });

  test("it takes less than 200 kB, also when no other pod shares its pages", async () => {
    await place.shell("systemctl stop gantry.slice");
    await place.sleeper("lone");
    const { stdout } = await place.shell(
      `awk '/^Pss:/ {print $2}' /proc/${await pidOf("lone")}/smaps_rollup`,
    );
    const size = Number(stdout);
    assert.ok(size > 0 && size < 200, `${size} kB`);
  });

  test("an app that is started before it stands waits for it", async () => {
    const delayed = "strace -D -f -o /dev/null -e trace=pivot_root -e inject=pivot_root:delay_enter=3000000";
    const path = "/usr/lib/gantry/gantry-sandbox";
    await place.shell(`mv ${path} ${path}.real`);
    await place.host.put(path, `#!/bin/sh\nexec ${delayed} ${path}.real "$@"\n`, 0o755);
    const [ended, early] = await Promise.all([
      place.run("hostname", ["--name=late"]),
      place.shell(
        "until systemctl -q is-active gantry-late.service; do sleep 0.02; done; sleep 0.2; " +
          "systemctl show -P SubState gantry-late.app.service",
      ),
    ]);
    await place.shell(`mv ${path}.real ${path}`);
    assert.deepEqual([ended.status, ended.stdout], [0, "gantry-late\n"], ended.stderr);
    assert.equal(early.stdout.trim(), "start", "the app's own start is under way meanwhile");
  });

  test("a sandbox that fails after its apps were started is told in their stead", async () => {
    // The app ends, and fails, well after the sandbox has.
    const slow = '[Service]\nExecStartPre=/bin/sleep 60\nExecStopPost=/bin/sh -c "sleep 0.5; false"\n';
    await place.host.put("/run/systemd/system/gantry-early.app.service.d/slow.conf", slow);
    await place.shell(
      "systemctl daemon-reload; mv /usr/lib/gantry/gantry-init /usr/lib/gantry/gantry-init.away",
    );
    const failed = await place.run("echo never", ["--name=early"]);
    await place.shell("mv /usr/lib/gantry/gantry-init.away /usr/lib/gantry/gantry-init");
    assert.deepEqual([failed.status, failed.stdout], [125, ""], failed.stderr);
    assert.match(
      failed.stderr,
      /^gantry: pod "early": sandbox: \/usr\/lib\/gantry\/gantry-init: No such file or directory$/m,
    );
    // systemd 252 may keep a slice that a dropped job held: removing the pod stops it, as here (src/pod/end.ts).
    await place.shell("systemctl stop gantry-early.slice");
    await until(
      () => place.shell("systemctl list-units --all --plain --no-legend 'gantry-early*'"),
      ({ stdout }) => stdout === "",
    );
  });

  test("systemd may take its time to hear who the main process is", async () => {
    await place.host.put(
      "/root/late.py",
      `import os, signal, socket, subprocess, time
heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
heard.bind("/run/late")
os.makedirs(os.path.dirname(SOCKET), exist_ok=True)
words = ["/usr/lib/gantry/gantry-sandbox", "/var/lib/gantry/names/names/sandbox.json"]
sandbox = subprocess.Popen(words, env={"NOTIFY_SOCKET": "/run/late"})
main, barrier = socket.recv_fds(heard, 4096, 1), socket.recv_fds(heard, 4096, 1)
time.sleep(6)
os.close(barrier[1][0])
print(main[0][:8].decode(), sandbox.wait())
os.kill(int(main[0][8:]), signal.SIGKILL)
`.replace(
        "SOCKET",
        (
          await place.shell('grep -o \'"/run/[^"]*"\' /var/lib/gantry/names/names/sandbox.json')
        ).stdout.trim(),
      ),
    );
    const ended = await place.host.exec(["python3", "/root/late.py"]);
    assert.equal(ended.stdout, "MAINPID= 0\n", ended.stderr);
  });

  test("a plan it does not understand is refused with 78 and a sentence that names the key", async () => {
    await place.host.put("/root/sandbox.json", '{"version": 1, "unheard": true}', 0o600);
    const words = [
      "systemd-run",
      "--unit=refused",
      "-p",
      "NotifyAccess=main",
      "/usr/lib/gantry/gantry-sandbox",
      "/root/sandbox.json",
    ];
    await place.host.exec(words);
    await place.shell("until systemctl -q is-failed refused; do sleep 0.02; done");
    const shown = await place.shell("systemctl show refused -p ExecMainStatus -p StatusText");
    assert.match(shown.stdout, /^ExecMainStatus=78$/m);
    assert.match(shown.stdout, /^StatusText=sandbox: \/root\/sandbox\.json: unheard/m);
  });
});
