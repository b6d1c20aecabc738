/** OCI and Docker images in appc's words (the mapping docker2aci established, with its faults mended). */
import { APPC_ARCHITECTURES } from "./aci.ts";
import { isIdentifier } from "./app-name.ts";
import type { ImageApp, ImageRecord } from "./record.ts";
import { parseRepository } from "./repository.ts";

export type AppcImageManifest = Readonly<Record<string, unknown>>;

type Pair = { readonly name: string; readonly value: string };

const VERSION = "0.8.11";

/** The appc image manifest that means `record`, which is of kind oci or docker. */
export function imageManifestOf(record: ImageRecord): AppcImageManifest {
  return {
    acKind: "ImageManifest",
    acVersion: VERSION,
    name: appcName(record),
    labels: labelsOf(record),
    app: appOf(record.app, record.labels),
    annotations: annotationsOf(record),
  };
}

/** `registry/repository` with what an appc identifier can't hold replaced, as the colon of a port. */
function appcName({ names, id }: ImageRecord): string {
  const [name] = names;
  if (name === undefined) return id;
  const { registry, repository } = parseRepository(name);
  const identifier = `${registry}/${repository}`
    .toLowerCase()
    .replace(/[^a-z0-9/]+/g, (run) => (/^[-._~]$/.test(run) ? run : "-"))
    .replace(/-*\/-*/g, "/");
  return isIdentifier(identifier) ? identifier : id;
}

function labelsOf({ names, digest, platform }: ImageRecord): Pair[] {
  const tag = names[0] === undefined ? undefined : parseRepository(names[0]).tag;
  return [
    { name: "version", value: tag ?? digest.slice(7, 19) },
    { name: "os", value: platform.os },
    { name: "arch", value: appcArchitecture(platform) },
  ];
}

function appcArchitecture({ architecture, variant }: ImageRecord["platform"]): string {
  const known = Object.entries(APPC_ARCHITECTURES).find(
    ([, go]) => go.architecture === architecture && (go.variant === undefined || go.variant === variant),
  );
  return known?.[0] ?? architecture;
}

function appOf(app: ImageApp, userLabels: Readonly<Record<string, string>>): Record<string, unknown> {
  const [user = "", group] = app.user.split(":");
  return {
    exec: [...app.entrypoint, ...app.cmd],
    user: user === "" ? "0" : user,
    // appc demands a group; without one Docker takes the user's primary group, which only the image's passwd knows.
    group: group ?? (user === "" ? "0" : ""),
    workingDirectory: app.workingDirectory,
    environment: app.environment.filter(({ name }) => /^[A-Za-z_][A-Za-z_0-9.-]*$/.test(name)),
    mountPoints: app.mountPoints,
    ports: app.ports,
    userLabels,
  };
}

function annotationsOf({ names, configDigest, digest, app, created, annotations }: ImageRecord): Pair[] {
  const own = [
    ...(created === undefined ? [] : [{ name: "created", value: created }]),
    ...(names[0] === undefined ? [] : [{ name: "appc.io/docker/originalname", value: names[0] }]),
    { name: "appc.io/docker/imageid", value: configDigest },
    { name: "appc.io/docker/manifesthash", value: digest },
    { name: "appc.io/docker/entrypoint", value: JSON.stringify(app.entrypoint) },
    { name: "appc.io/docker/cmd", value: JSON.stringify(app.cmd) },
  ];
  const given = Object.entries(annotations).map(([name, value]) => ({ name, value }));
  const taken = new Set(own.map(({ name }) => name));
  return [...own, ...given.filter(({ name }) => isIdentifier(name) && !taken.has(name))];
}
