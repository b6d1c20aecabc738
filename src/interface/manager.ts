/** org.gantry1.Manager, at /org/gantry1. */
import { defineInterface } from "../bus/table.ts";
import { ACTIONS } from "./actions.ts";

const SINCE = "0.1";

export const MANAGER = defineInterface({
  name: "org.gantry1.Manager",
  doc: "Pods, images, and the long work that is being done on them.",
  methods: {
    ListPods: {
      doc: "All pods: id, name (empty without one), state, object, and when it was created, started and ended, in microseconds since the epoch (0: not yet).",
      since: SINCE,
      in: [],
      out: [["a(sssottt)", "pods"]],
    },
    GetPod: {
      doc: "The object of a pod that is given by name, id, or an unambiguous beginning of its id.",
      since: SINCE,
      in: [["s", "pod"]],
      out: [["o", "object"]],
    },
    DescribePods: {
      doc: "All pods with their apps, in the JSON of `gantry list`.",
      since: SINCE,
      in: [],
      out: [["s", "json"]],
    },
    DescribePod: {
      doc: "One pod, given as for GetPod, in the JSON of `gantry status`.",
      since: SINCE,
      in: [["s", "pod"]],
      out: [["s", "json"]],
    },
    PreparePod: {
      doc: 'Prepares a pod without starting it. The request is JSON: a pod manifest, or what to make one of, such as {"name":"web","apps":[{"image":"busybox","args":["httpd","-f"]}]}. The operation\'s result is the pod\'s id.',
      since: SINCE,
      in: [["s", "request"]],
      options: {
        insecure: [
          "as",
          'Guards to lower for images imported on the way; "image" accepts one that nobody has signed.',
        ],
      },
      out: [["o", "operation"]],
      action: ACTIONS.podPrepare,
    },
    RunPod: {
      doc: "Prepares a pod and starts it; the operation ends when every app is ready. Its result is the pod's id.",
      since: SINCE,
      in: [["s", "request"]],
      options: {
        insecure: [
          "as",
          'Guards to lower for images imported on the way; "image" accepts one that nobody has signed.',
        ],
      },
      out: [["o", "operation"]],
      action: ACTIONS.podRun,
    },
    StartPod: {
      doc: "Starts a prepared or ended pod; the operation ends when every app is ready.",
      since: SINCE,
      in: [["s", "pod"]],
      options: {},
      out: [["o", "operation"]],
      action: ACTIONS.podStart,
    },
    StopPod: {
      doc: "Stops a pod; the operation ends when its last process has.",
      since: SINCE,
      in: [["s", "pod"]],
      options: { force: ["b", "Kill at once instead of asking the apps to end."] },
      out: [["o", "operation"]],
      action: ACTIONS.podStop,
    },
    RestartPod: {
      doc: "Stops a pod, if it runs, and starts it.",
      since: SINCE,
      in: [["s", "pod"]],
      options: {},
      out: [["o", "operation"]],
      action: ACTIONS.podRestart,
    },
    KillPod: {
      doc: "Sends a signal to the main processes of all apps of a pod, or of one.",
      since: SINCE,
      in: [
        ["s", "pod"],
        ["i", "signal"],
      ],
      options: { app: ["s", "Only this app."] },
      out: [],
      action: ACTIONS.podKill,
    },
    RemovePod: {
      doc: "Removes a pod that does not run.",
      since: SINCE,
      in: [["s", "pod"]],
      options: { force: ["b", "Stop it first, should it run."] },
      out: [["o", "operation"]],
      action: ACTIONS.podRemove,
    },
    ListImages: {
      doc: "All images: id, names, unpacked size in bytes, when it was imported in microseconds since the epoch, and its object.",
      since: SINCE,
      in: [],
      out: [["a(sastto)", "images"]],
    },
    GetImage: {
      doc: "The object of an image that is given by name, id, or an unambiguous beginning of its id.",
      since: SINCE,
      in: [["s", "image"]],
      out: [["o", "object"]],
    },
    DescribeImages: {
      doc: "All images, in the JSON of `gantry image list`.",
      since: SINCE,
      in: [],
      out: [["s", "json"]],
    },
    InspectImage: {
      doc: "Everything that is known of an image, in the JSON of `gantry image inspect`.",
      since: SINCE,
      in: [["s", "image"]],
      out: [["s", "json"]],
    },
    GetImageManifest: {
      doc: "The image manifest in appc's form, as JSON.",
      since: SINCE,
      in: [["s", "image"]],
      out: [["s", "json"]],
    },
    FetchImage: {
      doc: "Imports an image. Files are named by absolute paths. The operation's result is the image's id.",
      since: SINCE,
      in: [["s", "source"]],
      options: { insecure: ["as", 'Guards to lower; "image" accepts an image that nobody has signed.'] },
      out: [["o", "operation"]],
      action: ACTIONS.imageFetch,
    },
    RemoveImage: {
      doc: "Removes an image that no pod uses.",
      since: SINCE,
      in: [["s", "image"]],
      options: {},
      out: [["o", "operation"]],
      action: ACTIONS.imageRemove,
    },
    CollectGarbage: {
      doc: "Removes pods that ended long ago, and whatever nothing refers to.",
      since: SINCE,
      in: [],
      options: {},
      out: [["o", "operation"]],
      action: ACTIONS.gc,
    },
    ListOperations: {
      doc: "Operations that run, or ended less than 30 seconds ago: object, kind, target, phase, progress.",
      since: SINCE,
      in: [],
      out: [["a(osssd)", "operations"]],
    },
    GetOperation: {
      doc: "The object of an operation.",
      since: SINCE,
      in: [["s", "id"]],
      out: [["o", "object"]],
    },
    Subscribe: {
      doc: "Keeps the agent alive, and its signals about pods and images coming, while the caller is on the bus.",
      since: SINCE,
      in: [],
      out: [],
    },
    Unsubscribe: { doc: "Ends the caller's subscription.", since: SINCE, in: [], out: [] },
  },
  properties: {
    Version: { doc: "Gantry's version.", since: SINCE, type: "s", emits: "const" },
  },
  signals: {
    PodNew: {
      doc: "A pod was prepared.",
      since: SINCE,
      args: [
        ["s", "id"],
        ["o", "object"],
      ],
    },
    PodRemoved: {
      doc: "A pod was removed.",
      since: SINCE,
      args: [
        ["s", "id"],
        ["o", "object"],
      ],
    },
    ImageNew: {
      doc: "An image was imported.",
      since: SINCE,
      args: [
        ["s", "id"],
        ["o", "object"],
      ],
    },
    ImageRemoved: {
      doc: "An image was removed.",
      since: SINCE,
      args: [
        ["s", "id"],
        ["o", "object"],
      ],
    },
    OperationNew: {
      doc: "An operation was begun.",
      since: SINCE,
      args: [
        ["s", "id"],
        ["o", "object"],
      ],
    },
    OperationRemoved: {
      doc: "An operation ended; its object stays for 30 seconds. Result is done, failed or cancelled.",
      since: SINCE,
      args: [
        ["s", "id"],
        ["o", "object"],
        ["s", "result"],
      ],
    },
  },
});
