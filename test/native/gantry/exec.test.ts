/** A command in a running app is confined as the app is, and its streams and status are the caller's. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openPlace, type Place, seen } from "./place.ts";

/** What the kernel says about a process's confinement, and the namespaces it is in. */
const FACTS = `grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups|Uid|Gid)' /proc/PID/status; cat /proc/PID/cgroup /proc/PID/limits
for ns in cgroup ipc mnt net pid user uts; do readlink /proc/PID/ns/$ns; done; cat /proc/PID/oom_score_adj`;

for (const userns of ["pod", "host"] as const) {
  describe(`gantry exec, userns=${userns}`, () => {
    let place: Place;
    before(async () => {
      place = await openPlace({ name: `exec-${userns}` });
      await place.sleeper("web", [`--userns=${userns}`]);
    });
    after(async () => {
      await place[Symbol.asyncDispose]();
    });

    test("a command is where the app is, and may do what the app may", async () => {
      const app = (await place.shell("systemctl show -P MainPID gantry-web.app.service")).stdout.trim();
      const expected = await place.shell(FACTS.replaceAll("PID", app));
      const command = await place.host.spawn(["gantry", "exec", "web", "sleep", "543"]);
      await place.shell("until pgrep -xf 'sleep 543' >/dev/null; do sleep 0.02; done");
      const actual = await place.shell(FACTS.replaceAll("PID", "$(pgrep -xf 'sleep 543')"));
      assert.equal(actual.stdout, expected.stdout);
      await place.shell("pkill -xf 'sleep 543'");
      assert.equal((await command.ended).status, 143);
    });

    test("output, status and signals are the command's", async () => {
      const ended = await place.exec(["web", "sh", "-c", "echo out; echo err >&2; exit 7"]);
      assert.deepEqual([ended.stdout, ended.stderr, ended.status], ["out\n", "err\n", 7]);
      assert.equal((await place.exec(["web", "sh", "-c", "kill -9 $$"])).status, 137);
    });

    test("what a command leaves running does not keep the caller, however much it says", async () => {
      const command = "timeout --signal=KILL 600 gantry exec web sh -c 'yes & yes & yes & sleep 0.5; exit 3'";
      const slowly = "while dd bs=4096 count=1 2>/dev/null | grep -q y; do :; done";
      const ended = await place.shell(
        `{ ${command}; echo $? >/tmp/status; pkill -x yes; } | ${slowly}; cat /tmp/status`,
        { timeoutMs: 600_000 },
      );
      assert.deepEqual([ended.stdout, ended.stderr], ["3\n", ""]);
      const all = await place.shell("gantry exec web head -c 1000000 /dev/zero | wc -c");
      assert.equal(all.stdout.trim(), "1000000", "all that it said itself is there");
    });

    test("signals are heard while nobody reads the output, and one after the command's end is enough", async () => {
      const run = "gantry exec web yes";
      const full = `until F=$(pgrep -oxf 'gantry.* exec web yes'); do sleep 0.1; done; sleep 2`;
      const reader = await place.host.spawn(["sh", "-c", `{ ${run}; echo $? >/unread; } | sleep 6543`]);
      const stop = "kill -TERM $F; while pgrep -x yes; do sleep 0.1; done";
      const again =
        "while kill -TERM $F 2>/dev/null; do sleep 0.1; done; until [ -s /unread ]; do sleep 0.05; done; cat /unread; pkill -xf 'sleep 6543'";
      const ended = await place.shell(`${full}; ${stop} >/dev/null; ${again}`);
      assert.equal(ended.stdout, "143\n", ended.stderr);
      await reader.ended;
    });

    test("what can't be executed is 126, what is missing 127", async () => {
      const missing = await place.exec(["web", "no-such-program"]);
      assert.equal(missing.status, 127);
      assert.match(missing.stderr, /^gantry: pod "web", app "app": no-such-program: /);
      const wrong = await place.exec(["web", "/etc"]);
      assert.equal(wrong.status, 126);
      assert.match(wrong.stderr, /"app": \/etc/);
    });

    test("input is given only when it is asked for", async () => {
      const input = "y".repeat(200_000);
      assert.equal((await place.exec(["-i", "web", "wc", "-c"], { input })).stdout.trim(), "200000");
      assert.equal((await place.exec(["web", "wc", "-c"], { input })).stdout.trim(), "0");
    });

    test("a terminal is one of the app's own, with the caller's size", async () => {
      const command = `stty rows 33 cols 99; gantry exec web sh -c "tty; stty size; ls -ln \\$(tty); exit 6"`;
      const ended = await place.host.exec(["script", "-qec", command, "/dev/null"], { input: "" });
      assert.match(seen(ended), /^\/dev\/pts\/\d+\r\n33 99\r\ncrw--w---- +1 0 +5 /m);
      assert.equal(ended.status, 6);
    });

    test("its terminal has the caller's size from the command's first instruction", async () => {
      const held = "strace -o /dev/null -e trace=ioctl -e inject=ioctl:delay_enter=200000";
      const command = `stty rows 33 cols 99; ${held} gantry exec web stty size`;
      const ended = await place.host.exec(["script", "-qec", command, "/dev/null"], { input: "" });
      assert.match(seen(ended), /^33 99\r\n/m);
    });

    test("a shell on a terminal ends with the caller's input", async () => {
      for (let round = 0; round < 3; round += 1) {
        const ended = await place.shell("timeout --signal=KILL 60 gantry exec -it web sh </dev/null");
        assert.equal(ended.status, 0, ended.stderr);
      }
    });

    test("output that is lost is told, and no success", async () => {
      const tmpfs = "mkdir -p /run/small; mount -t tmpfs -o size=64k tmpfs /run/small";
      const words = "web sh -c 'seq 1 100000 >/dev/tty'";
      const ended = await place.shell(
        `${tmpfs}; gantry exec -t ${words} >/run/small/out; echo $?; umount /run/small`,
      );
      assert.notEqual(ended.stdout, "0\n");
      assert.match(ended.stderr, /^gantry: standard output: No space left on device$/m);
    });

    test("the verb may be shortened as long as it is one", async () => {
      const short = await place.host.exec(["gantry", "ex", "web", "echo", "said"]);
      assert.deepEqual([short.status, short.stdout], [0, "said\n"], short.stderr);
      const either = await place.host.exec(["gantry", "e", "web", "true"]);
      assert.equal(either.status, 2);
      assert.match(either.stderr, /"e" may mean enter, exec/);
    });

    test("another user is looked up in the image", async () => {
      assert.match((await place.exec(["--user=nobody", "web", "id", "-u"])).stdout, /^65534\n$/);
      const unknown = await place.exec(["--user=nosuchuser", "web", "true"]);
      assert.equal(unknown.status, 125);
      assert.match(unknown.stderr, /nosuchuser/);
      const group = await place.exec(["--user=nobody:nosuchgroup", "web", "true"]);
      assert.equal(group.status, 125);
      assert.match(group.stderr, /group "nosuchgroup": not in the image's \/etc\/group/);
    });

    test("an app's own filter holds for a command, and without its compiler there is none", async () => {
      const app = ["--name=app", "--seccomp=mode=remove,errno=ENOTSUP,mkdir,mkdirat", "--exec=/bin/sleep"];
      const flags = [
        "--insecure-options=image",
        "--net=none",
        "--detach",
        "--name=own",
        `--userns=${userns}`,
      ];
      const started = await place.host.exec(["gantry", "run", ...flags, place.image, ...app, "--", "600"]);
      assert.equal(started.status, 0, started.stderr);
      const refused = await place.exec(["own", "mkdir", "/tmp/x"]);
      assert.match(refused.stderr, /\/tmp\/x': Operation not supported/);
      assert.equal((await place.exec(["own", "true"])).status, 0);
      const filter = "/usr/lib/gantry/gantry-filter";
      const without = await place.shell(
        `mv ${filter} ${filter}.away; gantry exec own true; s=$?; mv ${filter}.away ${filter}; exit $s`,
      );
      assert.equal(without.status, 125);
      assert.match(without.stderr, /pod "own", app "app": \/usr\/lib\/gantry\/gantry-filter: No such file/);
    });

    test("a process of the app that has no root of its own yet is none to run a command in", async () => {
      const path = "/usr/lib/gantry/gantry-stage1";
      const delayed =
        "strace -D -f -o /dev/null -e trace=pivot_root -e inject=pivot_root:delay_enter=600000000";
      await place.shell(`mv ${path} ${path}.real`);
      await place.host.put(path, `#!/bin/sh\nexec ${delayed} ${path}.real "$@"\n`, 0o755);
      const starting = place.sleeper("rootless", [`--userns=${userns}`]);
      // Until systemd has heard of pid 1 the main process is what starts it, in the host's pid namespace.
      const pod =
        "pod=$(systemctl show -P MainPID gantry-rootless.service); grep -qs '^NSpid:.*[[:space:]]1$' /proc/$pod/status";
      const early =
        await place.shell(`until ${pod} && app=$(pgrep --ns $pod --nslist pid | grep -vx $pod); do sleep 0.02; done
        sleep 0.2; gantry exec rootless cat /etc/machine-id; echo $?
        boot=$(tr -d - </proc/sys/kernel/random/boot_id); cd /var/lib/gantry/names/rootless/apps/app/status
        echo "{\\"version\\":1,\\"time\\":1,\\"boot\\":\\"$boot\\",\\"pid\\":$app}" >started
        gantry exec rootless cat /etc/machine-id; echo $?; readlink -e /proc/$app/root/etc/machine-id | wc -l; pkill -KILL -x strace`);
      await starting;
      await place.shell(`mv ${path}.real ${path}`);
      const refusal = 'gantry: pod "rootless", app "app": not running\n';
      assert.deepEqual([early.stdout, early.stderr], ["3\n3\n1\n", refusal + refusal]);
      assert.equal((await place.exec(["rootless", "cat", "/etc/machine-id"])).status, 1);
    });

    test("the app's end takes the command with it", async () => {
      await place.sleeper("short", [`--userns=${userns}`]);
      const command = await place.host.spawn(["gantry", "exec", "short", "sleep", "300"]);
      await place.shell(
        "until pgrep -xf 'sleep 300' >/dev/null; do sleep 0.02; done; systemctl stop gantry-short.service",
      );
      assert.equal((await command.ended).status, 137); // KillMode=mixed: TERM is for the main process alone
    });
  });
}

describe("gantry exec, refusals", () => {
  let place: Place;
  before(async () => {
    place = await openPlace({ name: "exec-no" });
  });
  after(async () => {
    await place[Symbol.asyncDispose]();
  });

  test("no pod is usage, an unknown pod or app 4, an ended pod 3", async () => {
    const none = await place.exec([]);
    assert.deepEqual([none.status, /which pod\?/.test(none.stderr)], [2, true]);
    const unknown = await place.exec(["nowhere", "true"]);
    assert.deepEqual([unknown.status, unknown.stderr], [4, 'gantry: no such pod: "nowhere"\n']);
    await place.run("true", ["--name=done"]);
    const ended = await place.exec(["done", "true"]);
    assert.deepEqual([ended.status, ended.stderr], [3, 'gantry: pod "done", app "app": not running\n']);
    const app = await place.exec(["--app=other", "done", "true"]);
    assert.deepEqual([app.status, app.stderr], [4, 'gantry: pod "done" has no app "other"\n']);
    const option = await place.exec(["--frobnicate", "done", "true"]);
    assert.deepEqual([option.status, option.stderr], [2, 'gantry: exec: unknown option "--frobnicate"\n']);
  });

  test("who is not root is told so", async () => {
    const refused = await place.host.user(["gantry", "exec", "done", "true"]);
    assert.equal(refused.status, 6);
    assert.match(refused.stderr, /exec needs root/);
  });

  test("of several apps one must be chosen; the beginning of a UUID will do for the pod", async () => {
    const words = ["gantry", "run", "--insecure-options=image", "--net=none", "--detach", "--name=two"];
    const app = (name: string) => [place.image, `--name=${name}`, "--exec=/bin/sleep", "--", "600"];
    const started = await place.host.exec([...words, ...app("left"), "---", ...app("right")]);
    assert.equal(started.status, 0, started.stderr);
    const several = await place.exec(["two", "true"]);
    assert.deepEqual(
      [several.status, several.stderr],
      [2, 'gantry: pod "two" has several apps: left, right; choose one with --app=NAME\n'],
    );
    const chosen = await place.exec(["--app=right", started.stdout.slice(0, 10), "cat", "/proc/self/cgroup"]);
    assert.equal(chosen.status, 0, chosen.stderr);
  });
});
