/** OCI and Docker images in appc's words (the mapping docker2aci established, with its faults mended). */
import { APPC_ARCHITECTURES } from "./aci.ts";
import { isIdentifier } from "./app-name.ts";
import { CMD, ENTRYPOINT, STOP_SIGNAL } from "./converted.ts";
import type { UserGroups } from "./passwd.ts";
import type { ImageApp, ImageRecord } from "./record.ts";
import { parseRepository } from "./repository.ts";

export type AppcImageManifest = Readonly<Record<string, unknown>>;

type Pair = { readonly name: string; readonly value: string };

const VERSION = "0.8.11";

/**
 * The appc image manifest that means `record`, which is of kind oci or docker. `groups` are those its user has in
 * the image's own passwd, which appc wants spelled out and Docker leaves to the start.
 */
export function imageManifestOf(record: ImageRecord, groups?: UserGroups): AppcImageManifest {
  return {
    acKind: "ImageManifest",
    acVersion: VERSION,
    name: appcName(record),
    labels: labelsOf(record),
    app: { ...appOf(record.app, groups), userLabels: record.labels },
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

function appOf(app: ImageApp, groups: UserGroups | undefined): Record<string, unknown> {
  const [user = "", group = groups?.group] = app.user.split(":");
  const supplementary = app.user.includes(":") ? [] : (groups?.supplementaryGids ?? []);
  return {
    exec: [...app.entrypoint, ...app.cmd],
    user: user === "" ? "0" : user,
    group: group === undefined || group === "" ? "0" : group,
    ...(supplementary.length === 0 ? {} : { supplementaryGIDs: supplementary }),
    workingDirectory: app.workingDirectory,
    environment: app.environment.filter(({ name }) => /^[A-Za-z_][A-Za-z_0-9.-]*$/.test(name)),
    mountPoints: app.mountPoints,
    ports: app.ports,
  };
}

function annotationsOf({ names, configDigest, digest, app, created, annotations }: ImageRecord): Pair[] {
  const own = [
    ...(created === undefined ? [] : [{ name: "created", value: created }]),
    ...(names[0] === undefined ? [] : [{ name: "appc.io/docker/originalname", value: names[0] }]),
    { name: "appc.io/docker/imageid", value: configDigest },
    { name: "appc.io/docker/manifesthash", value: digest },
    { name: ENTRYPOINT, value: JSON.stringify(app.entrypoint) },
    { name: CMD, value: JSON.stringify(app.cmd) },
    // appc has no word for it.
    ...(app.stopSignal === "SIGTERM" ? [] : [{ name: STOP_SIGNAL, value: app.stopSignal }]),
  ];
  const given = Object.entries(annotations).map(([name, value]) => ({ name, value }));
  const taken = new Set(own.map(({ name }) => name));
  return [...own, ...given.filter(({ name }) => isIdentifier(name) && !taken.has(name))];
}
