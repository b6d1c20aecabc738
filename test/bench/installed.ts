/** Starting an installed pod: `systemctl start gantry@x` returns when the app runs, as `podman start` does. */
import { type Row, samplesOf } from "./row.ts";
import { must, type Setting, timeCommands } from "./setting.ts";

const UNIT = "[Service]\nType=exec\nExecStart=/bin/sleep 1000\n";

/** The rows of the installed pods' targets. */
export async function measureInstalled(setting: Setting): Promise<Row[]> {
  const { host, images } = setting;
  const definition = {
    acKind: "PodManifest",
    acVersion: "0.8.11",
    apps: [{ name: "sleep", image: { id: images.busybox }, args: ["sleep", "1000"] }],
  };
  await host.put("/root/benchpod.json", JSON.stringify(definition));
  await must(host, "gantry install --insecure-options=image /root/benchpod.json");
  await host.put("/run/systemd/system/bench-sleep.service", UNIT);
  const id = await must(host, `podman pull -q ${images.busybox}`);
  await must(
    host,
    `systemctl daemon-reload && podman create --network none --name benchpod ${id} sleep 1000`,
  );
  const samples = await timeCommands(setting, [
    { name: "gantry", command: "systemctl start gantry@benchpod", after: "systemctl stop gantry@benchpod" },
    { name: "plain", command: "systemctl start bench-sleep", after: "systemctl stop bench-sleep" },
    { name: "podman", command: "podman start benchpod", after: "podman stop -t 0 benchpod" },
  ]);
  await must(host, "gantry uninstall benchpod && podman rm -f benchpod");
  const row = (peer: string, factor: number): Row => ({
    name: "systemctl start gantry@x",
    unit: "ms",
    gantry: samplesOf(samples, "gantry"),
    peer: { name: peer === "plain" ? "plain service" : "podman start", samples: samplesOf(samples, peer) },
    target: { factor },
  });
  return [row("podman", 0.25), row("plain", 3)];
}
