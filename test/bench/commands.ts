/** Whole commands from the shell, beside podman's: run, stop, exec. */
import { type Row, type Samples, samplesOf } from "./row.ts";
import { must, type Setting, timeCommands } from "./setting.ts";

/** The rows of the command-line targets. */
export async function measureCommands(setting: Setting): Promise<Row[]> {
  return [...(await measureRun(setting)), ...(await measureExec(setting)), ...(await measureStop(setting))];
}

async function measureRun(setting: Setting): Promise<Row[]> {
  const { busybox } = setting.images;
  const [own, id] = [await fetch(setting, busybox), await pull(setting, busybox)];
  const samples = await timeCommands(setting, [
    {
      name: "gantry",
      command: `gantry run --insecure-options=image --net=none ${own} -- true`,
      after: "gantry gc --grace-period=0s",
    },
    { name: "podman", command: `podman run --rm --network none ${id} true` },
  ]);
  return [row("run --net=none IMAGE true", samples, { factor: 0.7 })];
}

async function measureExec(setting: Setting): Promise<Row[]> {
  const { busybox } = setting.images;
  const id = await pull(setting, busybox);
  await must(
    setting.host,
    `gantry run --insecure-options=image --net=none --detach --name=benchexec ${busybox}`,
  );
  await must(setting.host, `podman run -d --network none --name benchexec ${id}`);
  const samples = await timeCommands(setting, [
    { name: "gantry", command: "gantry exec benchexec true" },
    { name: "podman", command: "podman exec benchexec true" },
  ]);
  await must(setting.host, "gantry stop benchexec && gantry rm benchexec && podman rm -f -t 0 benchexec");
  return [row("exec POD true", samples, { factor: 0.6 })];
}

async function measureStop(setting: Setting): Promise<Row[]> {
  const { busybox } = setting.images;
  const id = await pull(setting, busybox);
  const samples = await timeCommands(setting, [
    {
      name: "gantry",
      before: `gantry run --insecure-options=image --net=none --detach --name=benchstop ${busybox}`,
      command: "gantry stop benchstop",
      after: "gantry rm benchstop",
    },
    {
      name: "systemctl",
      before: `gantry run --insecure-options=image --net=none --detach --name=benchstop ${busybox}`,
      command: "systemctl stop gantry-benchstop.service",
      after: "gantry rm benchstop",
    },
  ]);
  // sleep as pid 1 ignores TERM: one sample takes the ten seconds that all of them would.
  const podman = await timeCommands(
    setting,
    [
      {
        name: "podman",
        before: `podman run -d --network none --name benchstop ${id}`,
        command: "podman stop -t 10 benchstop",
        after: "podman rm benchstop",
      },
    ],
    2,
  );
  const peer = { name: "podman (2 samples)", samples: samplesOf(podman, "podman") };
  return [
    {
      name: "stop a pod of sleep",
      unit: "ms",
      gantry: samplesOf(samples, "gantry"),
      peer,
      target: { limit: 60 },
    },
    { name: "the same by systemctl", unit: "ms", gantry: samplesOf(samples, "systemctl"), peer },
  ];
}

function row(name: string, samples: ReadonlyMap<string, Samples>, target?: Row["target"]): Row {
  return {
    name,
    unit: "ms",
    gantry: samplesOf(samples, "gantry"),
    peer: { name: "podman", samples: samplesOf(samples, "podman") },
    ...(target === undefined ? {} : { target }),
  };
}

async function fetch({ host }: Setting, image: string): Promise<string> {
  return await must(host, `gantry fetch --insecure-options=image ${image}`);
}

async function pull({ host }: Setting, image: string): Promise<string> {
  return await must(host, `podman pull -q ${image}`);
}
