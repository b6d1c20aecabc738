/** Two hundred runs in a row: nothing of any of them stays, on disk, in systemd, in the kernel or in PID 1. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { cleanUp, remainsAtLast } from "../fixtures/faults.ts";
import { type PodHost, withPods } from "../fixtures/pod-host.ts";
import { until } from "../fixtures/until.ts";

const RUNS = 200;

/** One thing a line; the numbers of anonymous ones, such as sockets, are nothing. */
async function census({ shell }: PodHost): Promise<string[]> {
  const list = await shell(`
    systemctl list-units --all --no-legend --plain | awk '{ print "unit", $1, $2 }' | grep -v '^unit session-'
    find /sys/fs/cgroup -type d -path '*gantry*' | sed 's/^/cgroup /'
    cut -d ' ' -f 5,9- /proc/1/mountinfo | sed 's/^/mount /'
    find /var/lib/gantry /run /tmp /dev/shm -xdev ! -path '/run/log/*' ! -path '/run/systemd/journal/*' | sed 's/^/file /'
    ls -l /proc/1/fd | awk '{ print "descriptor", $NF }' | sed 's/[0-9]*\\]$//'
    processes=$(ps -e -o comm=) # in a pipeline it would see the other ends, which are shells for a moment
    echo "$processes" | grep -E 'gantry|node|sh$|strace' | sed 's/^/process /'`);
  return list.split("\n").sort();
}

/** The same, once it stays as it is. */
async function settledCensus(pods: PodHost): Promise<string[]> {
  let last: string[] = [];
  let same = 0;
  return await until(
    () => census(pods),
    (now) => {
      same = isDeepStrictEqual(now, last) ? same + 1 : 0;
      last = now;
      return same >= 5;
    },
  );
}

/** Kilobytes that PID 1 holds. */
async function managerMemory({ shell }: PodHost): Promise<number> {
  return Number(await shell("awk '/^Rss(Anon):/ { print $2 }' /proc/1/status"));
}

test(`${RUNS} runs leave no unit, cgroup, mount, file, process or descriptor`, async (t) => {
  await withPods(t, { name: "soak" }, async (pods) => {
    const run = (times: number) =>
      pods.host.exec(
        [
          "sh",
          "-c",
          `i=0; while [ $i -lt ${times} ]; do i=$((i+1))
             gantry run --insecure-options=image busybox -- true || exit; done`,
        ],
        { timeoutMs: 600_000 },
      );
    // What the first ones make stays for all: directories, caches.
    assert.deepEqual(await run(5), { status: 0, stdout: "", stderr: "" });
    await cleanUp(pods);
    assert.equal(await remainsAtLast(pods), "");
    const before = await settledCensus(pods);
    const memory = await managerMemory(pods);
    assert.deepEqual(await run(RUNS), { status: 0, stdout: "", stderr: "" });
    await cleanUp(pods);
    assert.equal(await remainsAtLast(pods), "");
    // PID 1 may not have come to the end of systemctl's own connection yet.
    await until(
      () => census(pods),
      (now) => isDeepStrictEqual(now, before),
    );
    t.diagnostic(`PID 1 grew by ${(await managerMemory(pods)) - memory} kB`);
  });
});
