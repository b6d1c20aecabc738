/** A pod in the foreground is like a program: its output, its input, its signals, its status. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "../../fixtures/until.ts";
import type { HostProcess } from "../../host/host.ts";
import { delay, openPlace, type Place, seen } from "./place.ts";

describe("gantry run in the foreground", () => {
  let place: Place;
  before(async () => {
    place = await openPlace({ name: "run" });
  });
  after(async () => {
    await place[Symbol.asyncDispose]();
  });

  test("stdout and stderr stay apart, the app's status is the command's", async () => {
    const ended = await place.run("echo out; echo err >&2; exit 5");
    assert.equal(ended.stdout, "out\n");
    assert.equal(ended.stderr, "err\n");
    assert.equal(ended.status, 5);
  });

  test("an app killed by a signal is 128 and its number", async () => {
    assert.equal((await place.run("kill -SEGV $$")).status, 139);
  });

  test("a missing program is 127, one that can't be executed 126, and the sentence names it", async () => {
    const run = ["gantry", "run", "--insecure-options=image", "--net=none", place.image, "--name=app"];
    const missing = await place.host.exec([...run, "--exec=/bin/missing"]);
    assert.equal(missing.status, 127);
    assert.match(missing.stderr, /^gantry: pod "[0-9a-f]{32}", app "app": .*\/bin\/missing/m);
    const wrong = await place.host.exec([...run, "--exec=/etc"]);
    assert.equal(wrong.status, 126);
    assert.match(wrong.stderr, /app "app": .*\/etc/);
  });

  test("of several apps the first that fails gives the status, whatever the others were doing", async () => {
    const app = (name: string, script: string) => [
      place.image,
      `--name=${name}`,
      "--exec=/bin/sh",
      "--",
      "-c",
      script,
    ];
    const words = ["gantry", "run", "--insecure-options=image", "--net=none"];
    for (let round = 0; round < 3; round++) {
      const apps = [...app("quick", "echo said; exit 3"), "---", ...app("slow", "sleep 60")];
      const ended = await place.host.exec([...words, ...apps]);
      assert.deepEqual([ended.stdout, ended.stderr, ended.status], ["said\n", "", 3]);
    }
    const fine = await place.host.exec([
      ...words,
      ...app("one", "exit 0"),
      "---",
      ...app("two", "sleep 0.1"),
    ]);
    assert.equal(fine.status, 0, fine.stderr);
  });

  test("not a byte of a short life is lost, here or in the journal", async () => {
    for (let round = 0; round < 15; round++) {
      const ended = await place.run(`echo first ${round}; seq 1 2000; echo last ${round}`);
      assert.equal(ended.status, 0, ended.stderr);
      const lines = ended.stdout.trimEnd().split("\n");
      assert.equal(lines[0], `first ${round}`);
      assert.equal(lines.length, 2002);
      assert.equal(lines.at(-1), `last ${round}`);
    }
    await place.shell("journalctl --sync");
    const journal = await place.shell("journalctl -o cat SYSLOG_IDENTIFIER=app | grep -E '^(first|last) '");
    const expected = Array.from({ length: 15 }, (_, round) => [`first ${round}`, `last ${round}`]).flat();
    assert.deepEqual(journal.stdout.trimEnd().split("\n"), expected);
  });

  test("a line is journaled for the app's own process and unit", async () => {
    await place.run("echo attributed $$", ["--name=who"]);
    await place.shell("journalctl --sync");
    const { stdout } = await place.shell(
      "journalctl -o json GANTRY_POD=who SYSLOG_IDENTIFIER=app | grep attributed",
    );
    const entry = JSON.parse(stdout);
    assert.equal(entry._SYSTEMD_UNIT, "gantry-who.app.service");
    assert.notEqual(entry._COMM, "gantry-sandbox");
  });

  test("standard input reaches the app, and so does its end", async () => {
    const input = "x".repeat(300_000);
    const ended = await place.run("wc -c", ["--interactive"], { input });
    assert.equal(ended.stdout.trim(), "300000");
    assert.equal(ended.status, 0);
  });

  test("of several apps the one that asks for standard input gets it, whichever comes first", async () => {
    const other = manifestApp(place, "other", "exec sleep 600");
    const reader = manifestApp(place, "reader", "wc -c; exit 3", { stdin: "stream" });
    for (const apps of [
      [other, reader],
      [reader, other],
    ])
      for (let round = 0; round < 3; round++) {
        const ended = await (await runManifest(place, apps, "head -c 100000 /dev/zero")).ended;
        assert.deepEqual([ended.stdout, ended.stderr, ended.status], ["100000\n", "", 3]);
      }
  });

  /** Its old place with the sandbox may be another's, or the lower one of an app that has ended may be free. */
  test("an app that is started again gets what comes on standard input from then on", async () => {
    const again =
      "[ -e /again ] || { sleep 1; touch /again; exit 7; }; echo reading; read -r word; echo got $word";
    const reader = manifestApp(place, "reader", again, {
      stdin: "stream",
      restart: { policy: "on-failure", delay: 0.1 },
    });
    const apps = [manifestApp(place, "brief", "true"), reader, manifestApp(place, "short", "true")];
    const later =
      "until journalctl -q -o cat GANTRY_APP=reader | grep -q reading; do sleep 0.1; done; echo word";
    const ended = await (await runManifest(place, apps, later)).ended;
    assert.deepEqual([ended.stdout, ended.stderr, ended.status], ["reading\ngot word\n", "", 0]);
  });

  /** From a file, so that all pieces are whole; between what fits and that, the end finds the socket full. */
  test("the end of standard input waits for room, as what comes before it does", async () => {
    for (const size of [245_760, 262_144]) {
      const script = "until [ -e /go ]; do sleep 0.1; done; wc -c";
      const name = `end${size}`;
      const run = `head -c ${size} /dev/zero >/tmp/input; exec gantry run --insecure-options=image --net=none --name=${name} --interactive ${place.image} --name=app --exec=/bin/sh -- -c '${script}' </tmp/input`;
      const running = await place.host.spawn(["sh", "-c", run]);
      await place.shell(
        `until systemctl -q is-active gantry-${name}.app.service; do sleep 0.05; done; sleep 1`,
      );
      await place.exec([name, "touch", "/go"]);
      const stuck = setTimeout(() => running.kill("SIGKILL"), 100_000);
      const ended = await running.ended;
      clearTimeout(stuck);
      assert.deepEqual([ended.status, ended.stdout.trim(), ended.stderr], [0, String(size), ""]);
    }
  });

  test("output that is lost is told, and no success", async () => {
    const run = `gantry run --insecure-options=image --net=none ${place.image} --name=app --exec=/bin/seq -- 1 100000`;
    const ended = await place.shell(
      `mkdir -p /run/small; mount -t tmpfs -o size=64k tmpfs /run/small; ${run} >/run/small/out; echo $?; umount /run/small`,
    );
    assert.deepEqual(
      [ended.stdout, ended.stderr],
      ["125\n", "gantry: standard output: No space left on device\n"],
    );
  });

  test("what the front itself could not print is no success", async () => {
    const lost = "gantry: standard output: No space left on device\n";
    await place.sleeper("printed");
    for (const words of ["version", "stop printed", "star printed"]) {
      const ended = await place.shell(`gantry ${words} >/dev/full`);
      assert.deepEqual([ended.status !== 0, ended.stderr], [true, lost], words);
    }
    await place.shell("gantry stop printed");
  });

  test("a verb that launches may be shortened as long as it is one", async () => {
    const prepare = `gantry prepare --insecure-options=image --net=none --name=short ${place.image} --exec=/bin/sleep -- 600`;
    await place.shell(prepare);
    for (const verb of ["star", "resta"]) {
      const ended = await place.host.exec(["gantry", verb, "short"]);
      assert.equal(ended.status, 0, `${verb}: ${ended.stderr}`);
    }
    assert.equal((await place.shell("systemctl is-active gantry-short.service")).stdout, "active\n");
    const several = await place.host.exec(["gantry", "r", "short"]);
    assert.equal(several.status, 2);
    assert.match(several.stderr, /"r" may mean .*restart/);
    await place.shell("gantry rm --force short");
  });

  test("a system call that nobody knows is named as one", async () => {
    const seccomp = "--seccomp=mode=remove,nosuchcall";
    const run = ["gantry", "run", "--insecure-options=image", "--net=none", place.image, seccomp];
    const ended = await place.host.exec([...run, "--exec=/bin/true"]);
    assert.equal(ended.status, 125);
    const sentence = /gantry: app "busybox": linux\.seccomp\.syscalls\[0\]: unknown system call nosuchcall$/m;
    assert.match(ended.stderr, sentence);
  });

  test("SIGTERM reaches the app", async () => {
    const running = await place.host.spawn(
      [
        "gantry",
        "run",
        "--insecure-options=image",
        "--net=none",
        "--name=term",
        place.image,
        "--name=app",
      ].concat([
        "--exec=/bin/sh",
        "--",
        "-c",
        "trap 'echo got it; exit 9' TERM; echo ready; while :; do sleep 0.05; done",
      ]),
    );
    await place.shell("until journalctl -q GANTRY_POD=term | grep -q ready; do sleep 0.05; done");
    await place.shell("gantry status --wait-ready=60s term; sleep 2; kill -TERM $(pidof gantry)");
    const ended = await running.ended;
    assert.equal(ended.stdout, "ready\ngot it\n");
    assert.equal(ended.status, 9);
  });

  test("a front that is killed leaves the pod running", async () => {
    const running = await place.host.spawn(
      [
        "gantry",
        "run",
        "--insecure-options=image",
        "--net=none",
        "--name=left",
        place.image,
        "--name=app",
      ].concat(["--exec=/bin/sh", "--", "-c", "while :; do echo again; sleep 0.05; done"]),
    );
    await place.shell(
      "until systemctl -q is-active gantry-left.app.service; do sleep 0.05; done; kill -KILL $(pidof gantry)",
    );
    await running.ended;
    await delay(500);
    assert.equal((await place.shell("systemctl is-active gantry-left.app.service")).stdout.trim(), "active");
    const stopped = await place.shell("systemctl stop gantry-left.service");
    assert.equal(stopped.status, 0, stopped.stderr);
  });

  test("who reads late has it all", async () => {
    const run = `gantry run --insecure-options=image --net=none ${place.image} --name=app --exec=/bin/head -- -c 180000 /dev/zero`;
    const late = await place.host.exec([
      "sh",
      "-c",
      `{ ${run}; echo $? >/status; } | (sleep 8; wc -c); cat /status`,
    ]);
    assert.deepEqual([late.stdout, late.stderr], ["180000\n0\n", ""]);
  });

  test("what a front did not take in time it does not pass off as all", async () => {
    const script = "until [ -e /go ]; do sleep 0.1; done; head -c 90000 /dev/zero";
    const words = ["gantry", "run", "--insecure-options=image", "--net=none", "--name=cut", place.image];
    const running = await place.host.spawn([...words, "--name=app", "--exec=/bin/sh", "--", "-c", script]);
    await place.shell("until systemctl -q is-active gantry-cut.app.service; do sleep 0.1; done; sleep 1");
    await place.shell("kill -STOP $(pidof gantry)");
    await place.exec(["cut", "touch", "/go"]);
    await place.shell(
      "until [ -e /var/lib/gantry/names/cut/ended ]; do sleep 0.1; done; kill -CONT $(pidof gantry)",
    );
    const ended = await running.ended;
    assert.ok(ended.stdout.length < 90_000);
    const text = 'gantry: pod "cut", app "app": not all of its output came here; the journal has the rest\n';
    assert.deepEqual([ended.status, ended.stderr], [125, text]);
  });

  test("signals are heard while nobody reads the output, and a second one is enough", async () => {
    const run = `gantry run --insecure-options=image --net=none --name=unread ${place.image} --name=app --exec=/bin/yes`;
    const running = await place.host.spawn(["sh", "-c", `{ ${run}; echo $? >/unread; } | sleep 6543`]);
    const full = "until systemctl -q is-active gantry-unread.app.service; do sleep 0.1; done; sleep 2";
    const front = "F=$(pidof gantry)";
    const stop = `${full}; ${front}; kill -TERM $F; until [ -e /var/lib/gantry/names/unread/ended ]; do sleep 0.1; done`;
    const again =
      "while kill -TERM $F 2>/dev/null; do sleep 0.1; done; until [ -s /unread ]; do sleep 0.05; done; cat /unread; pkill -xf 'sleep 6543'";
    const ended = await place.shell(`${stop}; ${again}`);
    assert.equal(ended.stdout, "143\n", ended.stderr);
    await running.ended;
  });

  test("a front that has been stopped keeps nothing that its app said from the journal", async () => {
    const line = "x".repeat(500);
    const script = `n=0; while :; do n=$((n+1)); echo "${line} $n end"; echo $n >/count; done`;
    const words = ["gantry", "run", "--insecure-options=image", "--net=none", "--name=quiet", place.image];
    const running = await place.host.spawn([...words, "--name=app", "--exec=/bin/sh", "--", "-c", script]);
    await running.until(/ 1 end/);
    const count = "cat /var/lib/gantry/names/quiet/apps/app/upper/count";
    /** The app has stopped, too: it is not read any more. */
    const still = `last=; until [ -n "$last" ] && [ "$last" = "$(${count})" ]; do last=$(${count}); sleep 0.5; done; echo $last`;
    await place.shell("kill -STOP $(pidof gantry)");
    const last = (await place.shell(still)).stdout.trim();
    const stopped = await place.shell("systemctl stop gantry-quiet.service; kill -CONT $(pidof gantry)");
    assert.equal(stopped.status, 0, stopped.stderr);
    await running.ended;
    const journal = await place.shell(
      `journalctl --sync; journalctl -q -o cat --output-fields=MESSAGE GANTRY_POD=quiet | grep -c '^${line} ${last} end$'`,
    );
    assert.equal(journal.stdout.trim(), "1", `line ${last}`);
  });

  test("apps wait for a front that will attach, and for none when the pod's unit is restarted", async () => {
    const run = ["gantry", "run", "--insecure-options=image", "--net=none", "--name=again", place.image];
    const running = await place.host.spawn([...run, "--exec=/bin/sh", "--", "-c", "echo up; exec sleep 600"]);
    // Until systemd has heard of pid 1 the main process is what starts it.
    const line = "tr '\\0' ' ' </proc/$(systemctl show -P MainPID gantry-again.service)/cmdline";
    const init = `until line=$(${line}); case $line in gantry-init*) ;; *) false ;; esac; do sleep 0.05; done; echo "$line"`;
    await running.until(/up/);
    assert.match((await place.shell(init)).stdout, /^gantry-init \d+ \d+ hold \n$/);
    const restarted = await place.shell("systemctl restart gantry-again.service");
    assert.equal(restarted.status, 0, restarted.stderr);
    assert.match((await place.shell(init)).stdout, /^gantry-init \d+ \d+ go \n$/);
    await place.shell("systemctl stop gantry-again.service");
    running.kill("SIGKILL");
    await running.ended;
  });

  test("a terminal is the app's: size, input, status", async () => {
    const command = `stty rows 44 cols 132; gantry run --insecure-options=image --net=none --interactive ${place.image} --exec=/bin/sh -- -c "tty; stty size; exit 4"`;
    const ended = await place.host.exec(["script", "-qec", command, "/dev/null"], { input: "" });
    assert.match(seen(ended), /\/dev\/pts\/\d+\r\n44 132\r\n/);
    assert.equal(ended.status, 4);
  });

  test("a terminal that no process has open for a while is still the app's", async () => {
    const app =
      "exec <&- >&- 2>&-; sleep 1; exec </dev/console >/dev/console; echo back; read -r word; echo got $word";
    const command = `gantry run --insecure-options=image --net=none --interactive ${place.image} --exec=/bin/sh -- -c '${app}'`;
    const running = await place.host.spawn(["script", "-qec", command, "/dev/null"]);
    await running.until(/back/);
    running.stdin.write("word\n");
    const ended = await running.ended;
    assert.match(seen(ended), /back\r\n(word\r\n)?got word\r\n/);
    assert.equal(ended.status, 0);
  });

  test("nothing is left: no unit, no runtime directory, and the facts are on disk", async () => {
    // systemd stops a slice that nothing needs, and drops it, when it has nothing else to do.
    await until(
      () => place.shell("systemctl list-units --all --no-legend 'gantry-*.slice' 'gantry-*.*.service'"),
      ({ stdout }) => stdout === "",
    );
    assert.equal((await place.shell("ls /run/gantry/pods")).stdout, "");
    const { stdout } = await place.shell(
      "cat /var/lib/gantry/names/who/ended /var/lib/gantry/names/who/apps/app/status/exit",
    );
    const [pod, app] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(pod.result, "success");
    assert.deepEqual([app.result, app.code, app.status], ["success", "exited", 0]);
    assert.match(app.boot, /^[0-9a-f]{32}$/);
  });
});

/** An app of a pod manifest that runs a shell script. */
function manifestApp({ image }: Place, name: string, script: string, more: object = {}): object {
  const app = { exec: ["/bin/sh", "-c", script], user: "0", group: "0" };
  return { name, image: { id: image }, app, ...more };
}

/** Runs the pod of these apps in the foreground, with the output of a script on its standard input. */
async function runManifest(place: Place, apps: readonly object[], input: string): Promise<HostProcess> {
  await place.host.put("/srv/pod.json", JSON.stringify({ acKind: "PodManifest", acVersion: "0.8.11", apps }));
  const run = "gantry run --insecure-options=image --pod-manifest=/srv/pod.json";
  return await place.host.spawn(["sh", "-c", `(${input}) | ${run}`]);
}
