/** A daemon-reload, which every installed package does, while pods run: systemd reads the transient units again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { agentPid, connectClient, importImage, sleeper, withAgentHost } from "../fixtures/agent.ts";

test("daemon-reload: a pod runs on, ends as it should, and its facts are written", async (t) => {
  await withAgentHost(t, { name: "reload", idle: 600_000 }, async (host) => {
    await using client = await connectClient(host);
    const image = await importImage(host, client);
    const options = { insecure: ["image"] };
    await client.done(await client.call("RunPod", { request: sleeper(image, "web"), options }));
    const units = ["gantry-web.service", "gantry-web.app.service", "gantry-web.slice"];
    const show = async () => {
      const properties =
        "Id,LoadState,ActiveState,MainPID,Slice,ExecStart,ExecStopPost,LogExtraFields,BindsTo,KillMode";
      const { stdout } = await host.exec(["systemctl", "show", `--property=${properties}`, ...units]);
      // Times and pids of the commands are told in the same lines.
      return stdout.replace(/(start_time|stop_time|pid|code|status)=[^;}]*/g, "$1=");
    };
    const before = await show();
    assert.match(before, /^ExecStart=\{ path=\/usr\/lib\/gantry\/gantry-stage1 /m);
    await host.exec(["journalctl", "--sync"]);
    const since = (await host.exec(["date", "+%s.%N"])).stdout.trim();
    assert.equal((await host.exec(["systemctl", "daemon-reload"])).status, 0);
    assert.equal(await show(), before);
    await host.exec(["journalctl", "--sync"]);
    const said = await host.exec([
      "journalctl",
      `--since=@${since}`,
      "--no-pager",
      "--output=cat",
      "--grep=gantry-",
    ]);
    assert.equal(said.stdout, "");
    assert.ok((await agentPid(host)) > 0);
    await client.call("KillPod", { pod: "web", signal: 9, options: {} });
    const ended = await host.exec(["gantry", "status", "--wait=60s", "web"]);
    assert.match(ended.stdout, /^state=exited$/m);
    assert.match(ended.stdout, /^app-app=137$/m);
  });
});
