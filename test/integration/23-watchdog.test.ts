/** An app that notifies and has a watchdog: systemd hears it, and starts it again when it falls silent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { importNotifier } from "../fixtures/notifier.ts";
import { withPods } from "../fixtures/pod-host.ts";
import { until } from "../fixtures/until.ts";

/** Beats until its file "alive" is gone, and is as silent as one that hangs then. */
const BEATING =
  "touch alive; notify-client READY=1; while [ -e alive ]; do notify-client WATCHDOG=1; sleep 0.1; done; exec sleep 1000";

function manifest(app: object): string {
  const all = { name: "app", image: { id: "notifier" }, args: ["sh", "-c", BEATING], ...app };
  return JSON.stringify({ acKind: "PodManifest", acVersion: "0.8.11", name: "dog", apps: [all] }, null, 2);
}

test("a watchdog of the manifest is systemd's, and an app that falls silent is started again", async (t) => {
  await withPods(t, { name: "watchdog" }, async (pods) => {
    const { host, output, shell, refused } = pods;
    await importNotifier(host);
    const put = (app: object) => host.put("/srv/dog.json", manifest(app));

    await put({ watchdog: 2 });
    await refused(["prepare", "--pod-manifest=/srv/dog.json"], {
      status: 1,
      texts: ['app "app": a watchdog is for an app that notifies', 'hint: "ready": "app"'],
    });
    await put({ ready: "app", watchdog: 0 });
    await refused(["prepare", "--pod-manifest=/srv/dog.json"], {
      status: 1,
      texts: ['"/srv/dog.json" line ', "apps[0].watchdog"],
    });
    await put({ ready: "app", watchdog: 5, restart: { policy: "on-watchdog", delay: 0 } });
    await output("run", "--detach", "--pod-manifest=/srv/dog.json");
    const unit = "gantry-dog.app.service";
    assert.equal(await shell(`systemctl show -P WatchdogUSec ${unit}`), "5s");
    const pid = await shell(`systemctl show -P MainPID ${unit}`);
    const beat = () => shell(`systemctl show -P WatchdogTimestampMonotonic ${unit}`);
    const first = await beat();
    await until(beat, (now) => now !== first);
    await output("exec", "dog", "rm", "/alive");
    await until(
      () => shell(`systemctl show -P NRestarts ${unit}`),
      (restarts) => Number(restarts) > 0,
    );
    await until(
      () => shell(`systemctl show -P MainPID ${unit}`),
      (now) => now !== "0" && now !== pid,
    );
    assert.match(await shell(`journalctl --sync; journalctl -o cat -u ${unit}`), /Watchdog timeout/);
    await output("rm", "--force", "dog");
  });
});
