/** `gantry list` */
import type { AppStatus, PodStatus } from "../../manager/manager.ts";
import { age, NO_LEGEND, show, table, timestamp, withLegend } from "../render.ts";
import { FORMAT, type Verb } from "../verb.ts";

const HEADER = ["UUID", "POD", "APP", "IMAGE", "STATE", "CREATED", "STARTED", "NETWORK"];
const SHORT = 8;

export const verb: Verb = {
  name: "list",
  synopsis: "[OPTION…]",
  summary: "list the pods: those that run, then the others, the newest first",
  options: [FORMAT, { name: "full", help: "whole UUIDs, image ids and times" }, NO_LEGEND],
  run: async (context, { options }) => {
    const { openManager } = await import("../../manager/open.ts");
    await using manager = await openManager(context);
    const pods = (await manager.listPods()).sort(byState);
    const full = options.flag("full");
    show(context, options.value("format"), {
      table: () => withLegend(podTable(pods, full), options),
      json: () => pods,
    });
    return 0;
  },
};

function byState(a: PodStatus, b: PodStatus): number {
  return Number(b.state === "running") - Number(a.state === "running") || (b.created ?? 0) - (a.created ?? 0);
}

function podTable(pods: readonly PodStatus[], full: boolean): string {
  const header = full ? HEADER.toSpliced(4, 0, "IMAGE ID") : HEADER;
  return table(
    header,
    pods.flatMap((pod) => podRows(pod, full)),
  );
}

/** One line per app; what is the pod's stands on the first. */
function podRows(pod: PodStatus, full: boolean): string[][] {
  const time = (value: number | undefined) => (full && value !== undefined ? timestamp(value) : age(value));
  const apps: readonly (AppStatus | undefined)[] = pod.apps.length === 0 ? [undefined] : pod.apps;
  return apps.map((app, index) => {
    const own = (text: string) => (index === 0 ? text : "");
    return [
      own(full ? pod.uuid : pod.uuid.slice(0, SHORT)),
      own(pod.name ?? ""),
      app?.name ?? "-",
      app === undefined ? "-" : (app.image.name ?? app.image.id.slice(0, 19)),
      ...(full ? [app?.image.id.slice(0, 19) ?? "-"] : []),
      own(pod.state),
      own(time(pod.created)),
      own(time(pod.started)),
      own(pod.net ?? ""),
    ];
  });
}
