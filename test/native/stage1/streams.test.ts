/** Standard streams: pipes through the sandbox, terminals, systemd's own sockets. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "../../fixtures/until.ts";
import { bootHost, type TestHost } from "../../host/host.ts";
import { type Change, makeLayer, type Pod, startPod } from "./pod.ts";

const asWww: Change = (plan) => {
  plan.process.user = { uid: 33, gid: 34, umask: 0o22, additionalGids: [] };
  plan.process.capabilities = { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] };
};

type Wanted = { readonly count: number; readonly change: Change };

for (const userns of ["pod", "host"] as const) {
  describe(`streams, user namespace ${userns}`, () => {
    let host: TestHost;
    let pod: Pod;
    const journal = async (app: string): Promise<Record<string, string>[]> => {
      await host.exec(["journalctl", "--sync"]);
      const unit = pod.unit.replace(".service", `.${app}.service`);
      const lines = await host.exec(["journalctl", "-o", "json", `_SYSTEMD_UNIT=${unit}`]);
      return lines.stdout
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line));
    };
    /** Runs a script whose process lives until `count` lines are in the journal, which asks for its cgroup. */
    const entries = async (app: string, script: string, { count, change }: Wanted) => {
      const waiting = `trap "exit 0" TERM; ${script}; while :; do sleep 0.1; done`;
      assert.equal((await pod.start(app, ["sh", "-c", waiting], change)).status, 0);
      const lines = await until(
        () => journal(app),
        ({ length }) => length >= count,
      );
      await host.exec(["systemctl", "kill", pod.unit.replace(".service", `.${app}.service`)]);
      assert.equal((await pod.ended(app))["ExecMainStatus"], "0");
      return lines;
    };
    before(async () => {
      host = await bootHost({ name: `streams-${userns}` });
      await makeLayer(host);
      pod = await startPod(host, { userns });
    });
    after(async () => {
      await host[Symbol.asyncDispose]();
    });

    test("with pipes a user can open /dev/stdout, and the journal has the app's unit", async () => {
      const change: Change = (plan) => {
        asWww(plan);
        plan.gantry.log = "pipe";
      };
      const script = "echo one >/dev/stdout; echo two >/dev/stderr; echo three";
      const lines = await entries("pipes", script, { count: 3, change });
      const seen = lines
        .map((line) => `${line["MESSAGE"]} ${line["PRIORITY"]} ${line["SYSLOG_IDENTIFIER"]}`)
        .sort();
      assert.deepEqual(seen, ["one 6 pipes", "three 6 pipes", "two 3 pipes"]);
    });

    test("systemd's sockets stay when the plan says journal", async () => {
      await pod.finish("sockets", ["sh", "-c", "echo direct; readlink /proc/self/fd/1"]);
      assert.match((await pod.log("sockets")).trim(), /^direct\nsocket:/);
    });

    test("null reads as the end and swallows what is written", async () => {
      const end = await pod.finish("null", ["sh", "-c", "echo lost; cat; test ! -s /dev/stdin"], (plan) => {
        plan.gantry.log = "null";
      });
      assert.equal(end["ExecMainStatus"], "0");
      assert.equal(await pod.log("null"), "");
    });

    test("a terminal is stdin, stdout, stderr, the controlling terminal and /dev/console", async () => {
      const script =
        "tty; test -t 0 -a -t 1 -a -t 2 && echo all; echo x >/dev/tty && echo control; echo y >/dev/console && echo console; stat -c %u:%g:%a /dev/pts/0";
      const change: Change = (plan) => {
        asWww(plan);
        plan.process.terminal = true;
      };
      const text = (await entries("terminal", script, { count: 7, change }))
        .map((line) => line["MESSAGE"])
        .join("\n")
        .replaceAll("\r", "");
      assert.equal(text, "/dev/pts/0\nall\nx\ncontrol\ny\nconsole\n33:5:620");
    });

    test("a terminal without devpts is an error that names it", async () => {
      const end = await pod.finish("nopts", ["true"], (plan) => {
        plan.process.terminal = true;
        plan.mounts = plan.mounts.filter((mount) => mount.type !== "devpts");
      });
      assert.equal(end["ExecMainStatus"], "209");
      assert.match(end["StatusText"] ?? "", /\/dev\/pts\/ptmx: No such file or directory/);
    });

    test("without the sandbox's socket nothing starts, and the error names it", async () => {
      const end = await pod.finish("nosocket", ["true"], (plan) => {
        plan.gantry.log = "pipe";
        plan.gantry.socket = "/run/gantry/pods/none/io";
        plan.gantry.sandbox = "gantry-none.service";
      });
      assert.equal(end["ExecMainStatus"], "226");
      assert.match(
        end["StatusText"] ?? "",
        /^sandbox: \/run\/gantry\/pods\/none\/io: No such file or directory/,
      );
    });
  });
}
