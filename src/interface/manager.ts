/** org.gantry1.Manager, at /org/gantry1. */
import { defineInterface } from "../bus/table.ts";
import { ACTIONS } from "./actions.ts";
import { constant, deed, news, query, work } from "./rows.ts";
import { TRUST_METHODS } from "./trust.ts";

const SINCE = "0.1";

const POD = [["s", "pod"]] as const;
const NAME = [["s", "name"]] as const;
const IMAGE = [["s", "image"]] as const;
const OBJECT = [["o", "object"]] as const;
const DOCUMENT = [["s", "json"]] as const;
const INSECURE =
  'Guards to lower for images that are fetched: "image" accepts one that nobody has signed, "tls" any certificate, "http" plain http.';
const PULL_POLICY =
  'When another machine is asked: "new", if the store has no such image; "update", always; "never".';
const CREDENTIALS = [
  "a{sa{ss}}",
  "For registries, or parts of them such as registry.example/team: user and password, or token (sent as it is), or identityToken (exchanged for one). They go before the host's own, are used for this call, and are kept and told nowhere.",
] as const;
const ON_THE_WAY = {
  insecure: ["as", INSECURE],
  credentials: CREDENTIALS,
  pullPolicy: ["s", `${PULL_POLICY} "new" unless given.`],
} as const;

export const MANAGER = defineInterface({
  name: "org.gantry1.Manager",
  doc: "Pods, images, and the long work that is being done on them.",
  methods: {
    ListPods: query(
      "All pods: id, name (empty without one), state, object, and when it was created, started and ended, in microseconds since the epoch (0: not yet).",
      { in: [], out: [["a(sssottt)", "pods"]] },
    ),
    GetPod: query("The object of a pod that is given by name, id, or an unambiguous beginning of its id.", {
      in: POD,
      out: OBJECT,
    }),
    DescribePods: query("All pods with their apps, in the JSON of `gantry list`.", {
      in: [],
      out: DOCUMENT,
    }),
    DescribePod: query("One pod, given as for GetPod, in the JSON of `gantry status`.", {
      in: POD,
      out: DOCUMENT,
    }),
    PreparePod: work(
      'Prepares a pod without starting it. The request is JSON: a pod manifest, or what to make one of, such as {"name":"web","apps":[{"image":"busybox","args":["httpd","-f"]}]}. The operation\'s result is the pod\'s id.',
      {
        in: [["s", "request"]],
        options: ON_THE_WAY,
        action: ACTIONS.podPrepare,
      },
    ),
    RunPod: work(
      "Prepares a pod and starts it; the operation ends when every app is ready. Its result is the pod's id.",
      {
        in: [["s", "request"]],
        options: ON_THE_WAY,
        action: ACTIONS.podRun,
      },
    ),
    StartPod: work(
      "Starts a prepared or ended pod, an installed one by its unit; the operation ends when every app is ready. Its result is the pod's id, another one where a changed definition was prepared anew.",
      { in: POD, options: {}, action: ACTIONS.podStart },
    ),
    StopPod: work("Stops a pod; the operation ends when its last process has.", {
      in: POD,
      options: { force: ["b", "Kill at once instead of asking the apps to end."] },
      action: ACTIONS.podStop,
    }),
    RestartPod: work("Stops a pod, if it runs and can start again, and starts it as StartPod does.", {
      in: POD,
      options: {},
      action: ACTIONS.podRestart,
    }),
    KillPod: deed("Sends a signal to the main processes of all apps of a pod, or of one.", {
      in: [
        ["s", "pod"],
        ["i", "signal"],
      ],
      options: { app: ["s", "Only this app."] },
      action: ACTIONS.podKill,
    }),
    RemovePod: work("Removes a pod that does not run.", {
      in: POD,
      options: { force: ["b", "Stop it first, should it run."] },
      action: ACTIONS.podRemove,
    }),
    ListInstalledPods: query("Installed pods: name, unit, and the file that defines it.", {
      in: [],
      out: [["a(sss)", "pods"]],
    }),
    InstallPod: work(
      "Installs a pod as gantry@NAME.service. The definition is a pod manifest; the pod is called by its name key, else by the origin, the path of the caller's own file, without .json. The origin is what errors name; nothing is read there. The operation ends when the images are there and the pod is prepared; its result is the pod's id.",
      {
        in: [
          ["s", "definition"],
          ["s", "origin"],
        ],
        options: ON_THE_WAY,
        action: ACTIONS.podInstall,
      },
    ),
    RefreshPod: work(
      "Prepares an installed pod that does not run for its next start: anew if its definition has changed, else with its images judged again if trust has. The operation's result is the pod's id.",
      { in: NAME, options: {}, action: ACTIONS.podRefresh },
    ),
    UninstallPod: work(
      "Takes an installed pod's definition away; a pod that runs goes once it has ended. The operation's result is the path of the definition.",
      { in: NAME, options: {}, action: ACTIONS.podUninstall },
    ),
    ListImages: query(
      "All images: id, names, unpacked size in bytes, when it was imported in microseconds since the epoch, and its object.",
      { in: [], out: [["a(sastto)", "images"]] },
    ),
    GetImage: query(
      "The object of an image that is given by name, id, or an unambiguous beginning of its id.",
      { in: IMAGE, out: OBJECT },
    ),
    DescribeImages: query("All images, the damaged ones too, in the JSON of `gantry image list`.", {
      in: [],
      out: DOCUMENT,
    }),
    InspectImage: query("Everything that is known of an image, in the JSON of `gantry image inspect`.", {
      in: IMAGE,
      out: DOCUMENT,
    }),
    GetImageManifest: query("The image manifest in appc's form, as JSON.", {
      in: IMAGE,
      out: DOCUMENT,
    }),
    FetchImage: work(
      "Fetches an image from a registry, a server, a file or a directory. Files are named by absolute paths. The operation's result is the image's id.",
      {
        in: [["s", "source"]],
        options: {
          insecure: ["as", INSECURE],
          credentials: CREDENTIALS,
          pullPolicy: ["s", `${PULL_POLICY} "update" unless given.`],
          signature: ["s", "Absolute path of the signature of an image that comes from a file."],
        },
        action: ACTIONS.imageFetch,
      },
    ),
    RemoveImage: work("Removes an image that no pod uses.", {
      in: IMAGE,
      options: {},
      action: ACTIONS.imageRemove,
    }),
    ...TRUST_METHODS,
    VerifyImage: work(
      "Compares all files of an image with what was imported. The operation's result is the JSON of `gantry image verify`, whatever was found.",
      {
        in: IMAGE,
        options: {
          repair: ["b", "Take what differs from where the image came from once more."],
          credentials: CREDENTIALS,
        },
        action: ACTIONS.imageVerify,
      },
    ),
    CollectGarbage: work(
      "Removes pods that ended half an hour ago, or were prepared a day ago and never started, and whatever nothing refers to. The operation's result is the ids of the pods and images that went, separated by spaces.",
      {
        in: [],
        options: { images: ["b", "Images, too, of which no pod was made for a day and that none needs."] },
        action: ACTIONS.gc,
      },
    ),
    ListOperations: query(
      "Operations that run, or ended less than 30 seconds ago: object, kind, target, phase, progress.",
      { in: [], out: [["a(osssd)", "operations"]] },
    ),
    GetOperation: query("The object of an operation.", { in: [["s", "id"]], out: OBJECT }),
    Subscribe: query(
      "Keeps the agent alive, and its signals about pods and images coming, while the caller is on the bus.",
      { in: [], out: [] },
    ),
    Unsubscribe: query("Ends the caller's subscription.", { in: [], out: [] }),
  },
  properties: {
    Version: constant("s", "Gantry's version."),
  },
  signals: {
    PodNew: news("A pod was prepared."),
    PodRemoved: news("A pod was removed."),
    ImageNew: news("An image was imported."),
    ImageRemoved: news("An image was removed."),
    OperationNew: news("An operation was begun."),
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
