/** Everything about a pod that can be decided from its reified manifest and its images' records. Pure. */
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { installedSocket, type Paths, podDirectory, podSocket } from "../config/paths.ts";
import type { IdRange } from "../stage1/words.ts";
import type { AppDraft, PodDraft } from "./draft.ts";
import { readIsolators } from "./isolators.ts";
import type { PodApp, PodManifest } from "./manifest.ts";
import type { Images } from "./reify.ts";
import { installedUnits, podUnits } from "./unit-name.ts";
import { type PodVolumes, resolveVolumes } from "./volumes.ts";

/** HOST_NAME_MAX of Linux. */
const HOSTNAME_MAX = 64;

export type Decision = { readonly draft: PodDraft; readonly volumes: PodVolumes };

export type Given = {
  readonly uuid: string;
  readonly manifest: PodManifest;
  readonly images: Images;
  readonly userns: IdRange;
  readonly paths: Paths;
  /** Prepared for `gantry@<name>.service`; the manifest then has a name. */
  readonly installed?: boolean;
};

/** Checks what no schema can and settles names, network, isolators and volumes. Throws BadManifest, BadVolume, Unsupported. */
export function decidePod({ uuid, manifest, images, userns, paths, installed = false }: Given): Decision {
  refuseDuplicates(manifest);
  refuseUnsupported(manifest);
  const pod = manifest.name ?? uuid;
  const directory = podDirectory(paths, uuid);
  const volumes = resolveVolumes(manifest, { podDirectory: directory, images });
  const draft: PodDraft = {
    ...{ uuid, pod, manifest, userns, installed },
    units: installed ? installedUnits(pod) : podUnits(pod),
    net: networkOf(manifest),
    hostname: manifest.hostname ?? hostnameOf(manifest.name ?? uuid.slice(0, 12)),
    isolation: readIsolators({ scope: "pod" }, manifest.isolators),
    apps: manifest.apps.map((app) => appDraft(app, images, volumes)),
    places: {
      pod: directory,
      layers: join(paths.data, "layers"),
      libexec: paths.libexec,
      socket: installed ? installedSocket(paths, pod) : podSocket(paths, uuid),
    },
  };
  return { draft, volumes };
}

/** As long as the kernel allows, whose limit a pod's name alone may come near. */
function hostnameOf(name: string): string {
  return `gantry-${name}`.slice(0, HOSTNAME_MAX).replace(/-$/, "");
}

function refuseDuplicates(manifest: PodManifest): void {
  const names = manifest.apps.map((app) => app.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new GantryError("BadManifest", `duplicate apps of name ${quoted(twice)}`, {
    hint: "name them apart: --name=NAME after each image",
  });
}

function refuseUnsupported(manifest: PodManifest): void {
  const handler = manifest.apps.find((app) => (app.app?.eventHandlers.length ?? 0) > 0);
  if (handler !== undefined) {
    throw new GantryError("Unsupported", `app ${quoted(handler.name)}: event handlers are not supported yet`);
  }
  const port = manifest.ports[0];
  if (port !== undefined) {
    throw new GantryError("Unsupported", `port ${quoted(port.name)}: ports are not supported yet`, {
      hint: "use --net=host, or remove it from the manifest",
    });
  }
  const terminals = manifest.apps.filter((app) => app.terminal || app.stdin === "stream");
  if (terminals.length > 1) {
    throw new GantryError(
      "BadManifest",
      `apps ${terminals.map((app) => quoted(app.name)).join(" and ")} both want the terminal`,
    );
  }
}

function networkOf(manifest: PodManifest): "none" | "host" {
  const [first = "none", ...more] = manifest.network;
  if (more.length === 0 && (first === "none" || first === "host")) return first;
  const wanted = [first, ...more].find((name) => name !== "none" && name !== "host");
  if (wanted === undefined) throw new GantryError("BadManifest", "network none and host exclude each other");
  throw new GantryError("Unsupported", `network ${quoted(wanted)}: only none and host are supported yet`, {
    hint: "use --net=none or --net=host",
  });
}

function appDraft(app: PodApp, images: Images, volumes: PodVolumes): AppDraft {
  const image = images.get(app.image.id);
  if (image === undefined || app.app === undefined) {
    throw new GantryError(
      "NoSuchImage",
      `app ${quoted(app.name)}: there is no image ${quoted(app.image.id)}`,
    );
  }
  if (app.app.exec.length === 0 || app.app.exec[0] === "") {
    const text = `app ${quoted(app.name)}: image ${quoted(app.image.name ?? app.image.id)} names no command to run`;
    throw new GantryError("BadManifest", text, { hint: "give one after --, or --exec=PATH after the image" });
  }
  return {
    ...{ name: app.name, manifest: app, app: app.app, image },
    isolation: readIsolators({ scope: "app", app: app.name }, app.app.isolators),
    volumes: volumes.byApp.get(app.name) ?? [],
  };
}
