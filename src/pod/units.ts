/** The unit set of a pod: the arguments of the one StartTransientUnit call that starts it. Pure; DESIGN section 3. */
import { constants } from "node:os";
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { printable, quoted } from "../base/text.ts";
import type { UnitSet } from "../stage1/units.ts";
import type { AppDraft, PodDraft } from "./draft.ts";
import type { Limits } from "./isolators.ts";
import { appDirectory } from "./plan.ts";
import { parseSignal } from "./words.ts";

type Properties = UnitSet["properties"];

const SECOND = 1_000_000;
/** The sandbox grants its apps' stragglers 2 s of grace; beyond this it hangs. */
const SANDBOX_STOP_SECONDS = 15;

/** The unit set: one main unit, and the others come with it in one transaction. */
export function unitSet(pod: PodDraft): UnitSet {
  const apps = pod.apps.map((app): Unit => [pod.units.app(app.name), appProperties(pod, app)]);
  return {
    version: 1,
    uuid: pod.uuid,
    pod: pod.pod,
    ...mainUnit(pod, apps),
    mode: "fail",
    apps: pod.apps.map((app) => ({
      name: app.name,
      unit: pod.units.app(app.name),
      status: join(appDirectory(pod.places.pod, app.name), "status"),
    })),
    socket: pod.places.socket,
  };
}

type Unit = UnitSet["aux"][number];
type Main = Pick<UnitSet, "unit" | "sandbox" | "properties" | "aux">;

/**
 * The sandbox, with the slice beside it. An installed pod's sandbox is there already, as an instance of
 * gantry@.service, and is still activating while its apps start: the slice is the main unit then.
 */
function mainUnit(pod: PodDraft, apps: readonly Unit[]): Main {
  const { slice, sandbox } = pod.units;
  if (pod.installed) {
    return { unit: slice, sandbox, properties: installedSliceProperties(pod), aux: [...apps] };
  }
  return {
    ...{ unit: sandbox, properties: sandboxProperties(pod) },
    aux: [[slice, sliceProperties(pod)], ...apps],
  };
}

/** The last app's end leaves nobody who needs the slice, and the slice's end is told to the sandbox's unit. */
function installedSliceProperties(pod: PodDraft): Properties {
  return [
    ...sliceProperties(pod),
    ["Wants", "as", pod.apps.map((app) => pod.units.app(app.name))],
    ["OnSuccess", "as", [pod.units.sandbox.replace("gantry@", "gantry-ended@")]],
  ];
}

function sliceProperties(pod: PodDraft): Properties {
  return [
    ["Description", "s", `Gantry pod ${pod.pod}`],
    ["StopWhenUnneeded", "b", true],
    ...limitProperties(pod.isolation.limits),
  ];
}

function sandboxProperties(pod: PodDraft): Properties {
  return [
    ["Description", "s", `Gantry pod ${pod.pod}: sandbox`],
    // Started when forked: systemd starts the apps at once, and they wait on the pod's socket for what is made meanwhile.
    ["Type", "s", "simple"],
    ...serviceProperties(pod),
    ["Wants", "as", pod.apps.map((app) => pod.units.app(app.name))],
    // The last app's end leaves nobody who needs the sandbox.
    ["StopWhenUnneeded", "b", true],
    ["ExecStart", "a(sasb)", [command(pod, "gantry-sandbox", [join(pod.places.pod, "sandbox.json")])]],
    ["ExecStopPost", "a(sasb)", [command(pod, "gantry-record", ["pod", pod.places.pod], MAY_FAIL)]],
    ["RuntimeDirectory", "as", [`gantry/pods/${pod.uuid}`]],
    ["RuntimeDirectoryMode", "u", 0o700],
    ["TimeoutStopUSec", "t", SANDBOX_STOP_SECONDS * SECOND],
    ["SyslogIdentifier", "s", "gantry-sandbox"],
    ["LogExtraFields", "aay", [`GANTRY_POD=${pod.pod}`, `GANTRY_POD_UUID=${pod.uuid}`]],
  ];
}

function appProperties(pod: PodDraft, app: AppDraft): Properties {
  const directory = appDirectory(pod.places.pod, app.name);
  return [
    ["Description", "s", `Gantry pod ${pod.pod}: ${app.name}`],
    ["Type", "s", "notify"],
    ...serviceProperties(pod),
    ["BindsTo", "as", [pod.units.sandbox]],
    // An installed pod's apps start as part of its unit's own start: an order after it would wait for itself.
    ...(pod.installed ? [] : ([["After", "as", [pod.units.sandbox]]] satisfies Properties)),
    ["ExecStart", "a(sasb)", [command(pod, "gantry-stage1", [join(directory, "plan.json")])]],
    ["ExecStopPost", "a(sasb)", [command(pod, "gantry-record", recordWords(pod, app), MAY_FAIL)]],
    ["KillSignal", "i", stopSignal(app)],
    ["TimeoutStopUSec", "t", Math.round(app.manifest.stopTimeout * SECOND)],
    ...restartProperties(app),
    ...watchdogProperties(app),
    ["SyslogIdentifier", "s", app.name],
    ["LogExtraFields", "aay", logFields(pod, app)],
    // The device cgroup is the second line behind nodev: no node but the harmless ones works, wherever it comes from.
    ["DevicePolicy", "s", "closed"],
    ...limitProperties(app.isolation.limits),
  ];
}

/** What sandbox and apps share. */
function serviceProperties(pod: PodDraft): Properties {
  return [
    ["NotifyAccess", "s", "main"],
    ["Slice", "s", pod.units.slice],
    // TERM goes to the main process only; what is left after it, or after the timeout, is killed.
    ["KillMode", "s", "mixed"],
    // A failed unit stays readable until `gantry rm`, gc or the next start.
    ["CollectMode", "s", "inactive"],
    ["UMask", "u", 0o022],
  ];
}

const MAY_FAIL = true;

/**
 * A command line that reaches the program as it is. systemd expands `$` in it unless it is doubled. (ExecStartEx= with
 * no-env-expand would need no doubling, but systemd 252 writes that name into the transient unit's file, does not know
 * it there, and forgets the command at the next daemon-reload, with the pod running.)
 */
function command(
  pod: PodDraft,
  program: string,
  words: readonly string[],
  mayFail = false,
): [string, string[], boolean] {
  const path = join(pod.places.libexec, program);
  return [path, [path, ...words].map((word) => word.replaceAll("$", "$$$$")), mayFail];
}

/**
 * With a unit as last word, a failure of the app stops that; an app that systemd restarts may fail. Of an installed pod
 * it is the slice: a stop of the pod's own unit would be a success, and after it none is restarted.
 */
function recordWords(pod: PodDraft, app: AppDraft): string[] {
  const status = join(appDirectory(pod.places.pod, app.name), "status");
  const words = ["app", app.name, status, pod.places.socket];
  const stopped = pod.installed ? pod.units.slice : pod.units.sandbox;
  return app.manifest.restart.policy === "no" ? [...words, stopped] : words;
}

function stopSignal(app: AppDraft): number {
  const name = app.manifest.stopSignal ?? "SIGTERM";
  const signal = parseSignal(name, constants.signals);
  if (signal !== undefined) return signal;
  throw new GantryError("BadManifest", `app ${quoted(app.name)}: ${quoted(name)} is not a signal`);
}

function restartProperties(app: AppDraft): Properties {
  const { policy, delay, limit } = app.manifest.restart as {
    policy: string;
    delay?: number;
    limit?: RestartLimit;
  };
  if (policy === "no") return [];
  return [
    ["Restart", "s", policy],
    ["RestartUSec", "t", Math.round((delay ?? 0.1) * SECOND)],
    ...(limit === undefined ? [] : limitOfStarts(limit)),
  ];
}

/** stage1 hands the interval on to an app that notifies; another one could only be killed for its silence. */
function watchdogProperties(app: AppDraft): Properties {
  const { watchdog, ready, name } = app.manifest;
  if (watchdog === undefined) return [];
  if (ready !== "app") {
    throw new GantryError("BadManifest", `app ${quoted(name)}: a watchdog is for an app that notifies`, {
      hint: '"ready": "app"',
    });
  }
  return [["WatchdogUSec", "t", Math.round(watchdog * SECOND)]];
}

type RestartLimit = { readonly starts: number; readonly interval: number };

function limitOfStarts({ starts, interval }: RestartLimit): Properties {
  return [
    ["StartLimitBurst", "u", starts],
    ["StartLimitIntervalUSec", "t", Math.round(interval * SECOND)],
  ];
}

function logFields(pod: PodDraft, app: AppDraft): string[] {
  return [
    `GANTRY_POD=${pod.pod}`,
    `GANTRY_POD_UUID=${pod.uuid}`,
    `GANTRY_APP=${app.name}`,
    `GANTRY_IMAGE=${printable(app.manifest.image.name ?? app.image.id)}`,
    `GANTRY_IMAGE_DIGEST=${app.image.digest}`,
  ];
}

function limitProperties(limits: Limits): Properties {
  const all: [string, string, number | undefined][] = [
    ["MemoryMax", "t", limits.memoryMax],
    ["MemoryLow", "t", limits.memoryLow],
    ["CPUQuotaPerSecUSec", "t", limits.cpuQuota],
    ["CPUWeight", "t", limits.cpuWeight],
    ["TasksMax", "t", limits.tasksMax],
  ];
  return all.flatMap(
    ([name, signature, value]): Properties => (value === undefined ? [] : [[name, signature, value]]),
  );
}
