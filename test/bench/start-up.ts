/** From StartTransientUnit to an app's first instruction: plain services, an app in a running pod, a whole pod. */
import { UnitSet } from "../../src/stage1/units.ts";
import { parseSamples, type Row, samplesOf } from "./row.ts";
import { must, PACE_MS, preparePod, type Setting } from "./setting.ts";

/** A start waits up to four times its own time for the kernel's RCU, by luck: each side needs enough samples for the best. */
const SAMPLES = 60;

/** One StartTransientUnit call, as start-probe.c takes it. */
type Case = Pick<UnitSet, "unit" | "properties" | "aux"> & {
  readonly name: string;
  readonly stamp: string;
  /** Must be gone before the next sample. */
  readonly units: readonly string[];
};

/** The two rows of the start-up target. */
export async function measureStartUp(setting: Setting): Promise<Row[]> {
  const running = await prepareRunningPod(setting);
  const whole = await readUnitSet(setting, await preparePod(setting, "benchwhole", [setting.images.probe]));
  const cases = [plainCase(setting), running, podCase(whole)];
  const { status, stdout, stderr } = await setting.host.exec(
    [setting.programs.startProbe, String(SAMPLES), String(PACE_MS)],
    { input: JSON.stringify(cases), timeoutMs: 5 * 60_000 },
  );
  if (status !== 0) throw new Error(`start-probe: ${stderr}`);
  await must(setting.host, "systemctl stop gantry-benchrunning.service && gantry rm benchrunning benchwhole");
  const samples = parseSamples(stdout);
  const peer = { name: "plain service", samples: samplesOf(samples, "plain") };
  return [
    {
      name: "start app in a pod",
      unit: "ms",
      gantry: samplesOf(samples, "app"),
      peer,
      target: { factor: 1.5 },
    },
    {
      name: "start pod of one app",
      unit: "ms",
      gantry: samplesOf(samples, "pod"),
      peer,
      target: { factor: 2.5 },
    },
  ];
}

function plainCase({ programs }: Setting): Case {
  const stamp = "/run/bench-stamp";
  const unit = "bench-plain.service";
  return {
    name: "plain",
    unit,
    properties: [
      ["Type", "s", "exec"],
      ["ExecStart", "a(sasb)", [[programs.probe, [programs.probe, stamp], false]]],
    ],
    aux: [],
    stamp,
    units: [unit],
  };
}

/** A pod that runs `sleep`, and the call that adds its second app. */
async function prepareRunningPod(setting: Setting): Promise<Case> {
  const { busybox, probe } = setting.images;
  const set = await readUnitSet(setting, await preparePod(setting, "benchrunning", [busybox, probe]));
  const app = set.apps[1];
  const properties = set.aux.find(([unit]) => unit === app?.unit)?.[1];
  if (app === undefined || properties === undefined) throw new Error("the pod has no second app");
  // Wanted by the sandbox, the app's unit would stay loaded, and no second call could make it.
  const rest = {
    ...set,
    properties: set.properties.filter(([name]) => name !== "Wants"),
    aux: set.aux.filter(([unit]) => unit !== app.unit),
  };
  rest.properties.push([
    "Wants",
    "as",
    rest.aux.map(([unit]) => unit).filter((unit) => /service$/.test(unit)),
  ]);
  await startRest(setting, rest);
  return { name: "app", unit: app.unit, properties, aux: [], stamp: stampOf(app.status), units: [app.unit] };
}

/** Starts the pod without its second app: start-probe with a stamp that the shell writes. */
async function startRest({ host, programs }: Setting, set: UnitSet): Promise<void> {
  const stamp = "/run/bench-rest";
  const test = [{ name: "rest", unit: set.unit, properties: set.properties, aux: set.aux, stamp, units: [] }];
  await using writer = await host.spawn(["sh", "-c", `while :; do echo 1234567 >${stamp}; sleep 0.05; done`]);
  const { status, stderr } = await host.exec([programs.startProbe, "1", "0"], {
    input: JSON.stringify(test),
  });
  if (status !== 0) throw new Error(`start-probe: ${stderr}`);
  await must(host, `systemctl is-active '${set.unit}'`);
  writer.kill("SIGKILL");
}

function podCase(set: UnitSet): Case {
  const app = set.apps[0];
  if (app === undefined) throw new Error("the pod has no app");
  return {
    name: "pod",
    unit: set.unit,
    properties: set.properties,
    aux: set.aux,
    stamp: stampOf(app.status),
    units: [app.unit, set.unit],
  };
}

/** The probe writes /stamp, which is in the app's upper layer, beside its exit facts. */
function stampOf(status: string): string {
  return status.replace(/status$/, "upper/stamp");
}

async function readUnitSet({ host }: Setting, uuid: string): Promise<UnitSet> {
  return UnitSet.parse(JSON.parse(await must(host, `cat /var/lib/gantry/pods/${uuid}/units.json`)));
}
