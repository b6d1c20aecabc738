/** `gantry status POD` */
import { GantryError } from "../../base/errors.ts";
import { quoted } from "../../base/text.ts";
import type { PodManager, PodStatus, WaitFor } from "../../manager/manager.ts";
import { parseDuration } from "../duration.ts";
import { show, timestamp } from "../render.ts";
import { FORMAT, type OptionValues, type Verb } from "../verb.ts";

export const verb: Verb = {
  name: "status",
  synopsis: "[OPTION…] POD",
  summary: "tell how a pod and its apps are",
  details: "With a duration, such as --wait=30s, waiting ends with status 1 when it has passed.",
  options: [
    FORMAT,
    { name: "wait", value: "DURATION", optional: true, help: "wait until the pod has ended" },
    {
      name: "wait-ready",
      value: "DURATION",
      optional: true,
      help: "wait until every app is ready, or the pod has ended",
    },
  ],
  operands: { min: 1, max: 1 },
  run: async (context, { options, operands: [word = ""] }) => {
    const { openManager } = await import("../../manager/open.ts");
    await using manager = await openManager(context);
    const status = await waitedStatus(manager, word, options);
    show(context, options.value("format"), { table: () => lines(status), json: () => status });
    return 0;
  },
};

async function waitedStatus(manager: PodManager, word: string, options: OptionValues): Promise<PodStatus> {
  const exited = options.value("wait");
  const ready = options.value("wait-ready");
  if (exited !== undefined && ready !== undefined) {
    throw new GantryError("Usage", "--wait and --wait-ready exclude each other");
  }
  if (ready !== undefined) return await wait(manager, word, { what: "ready", duration: ready });
  if (exited !== undefined) return await wait(manager, word, { what: "exited", duration: exited });
  return await manager.podStatus(word);
}

type Wait = { readonly what: WaitFor; readonly duration: string };

async function wait(manager: PodManager, word: string, { what, duration }: Wait): Promise<PodStatus> {
  const timeout = duration === "" || duration === "true" ? undefined : parseDuration(duration);
  if (duration !== "" && duration !== "true" && timeout === undefined) {
    throw new GantryError("Usage", `${quoted(duration)} is not a duration such as 500ms, 30s or 5m`);
  }
  const status = await manager.waitPod(word, what, timeout);
  if (status !== undefined) return status;
  throw new GantryError("TimedOut", `pod ${quoted(word)} is not ${what} after ${duration}`);
}

/** Lines KEY=VALUE, stable for scripts. */
function lines(pod: PodStatus): string {
  const pairs: [string, string | undefined][] = [
    ["state", pod.state],
    ["reason", pod.reason],
    ["uuid", pod.uuid],
    ["name", pod.name],
    ["created", pod.created === undefined ? undefined : timestamp(pod.created)],
    ["started", pod.started === undefined ? undefined : timestamp(pod.started)],
    ["ended", pod.ended === undefined ? undefined : timestamp(pod.ended)],
    ["network", pod.net],
    ["exited", pod.started === undefined ? undefined : String(pod.state === "exited")],
    ...pod.apps.map((app): [string, string | undefined] => [`app-${app.name}`, appWord(app)]),
  ];
  return pairs.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}\n`])).join("");
}

/** The exit status as shells tell it, once there is one. */
function appWord(app: PodStatus["apps"][number]): string {
  if (app.state !== "exited") return app.state;
  if (app.signal !== undefined) return String(128 + app.signal);
  return app.status === undefined ? (app.result ?? "unknown") : String(app.status);
}
