/**
 * A request and the records of its images become a reified pod manifest (appc section 6): every app says itself how it
 * runs, every image is an id. Pure.
 */
import { posix } from "node:path";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { ImageApp, ImageRecord } from "../image/record.ts";
import { mergeVariables } from "./environment.ts";
import type { App, PodApp, PodManifest, VolumeMount } from "./manifest.ts";
import type { AppRequest, PodRequest } from "./request.ts";
import { checkName, nameOfImage } from "./words.ts";

export type Variable = { readonly name: string; readonly value: string };

/** Images by the name they were asked for. */
export type Images = ReadonlyMap<string, ImageRecord>;

const AC_VERSION = "0.8.11";

/** The manifest of a pod that was asked for on the command line. Throws Usage and BadManifest. */
export function manifestOfRequest(request: PodRequest, images: Images): PodManifest {
  if ((request.terminal || request.stdin) && request.apps.length > 1) {
    throw new GantryError("Usage", "only a pod of one app can be interactive");
  }
  return {
    acKind: "PodManifest",
    acVersion: AC_VERSION,
    apps: request.apps.map((app) => podAppOf(request, app, imageOf(images, app.image))),
    volumes: request.volumes,
    isolators: request.isolators,
    annotations: [],
    ports: [],
    userAnnotations: {},
    userLabels: {},
    ...(request.name === undefined ? {} : { name: checkName("pod", request.name) }),
    ...(request.hostname === undefined ? {} : { hostname: request.hostname }),
    network: request.network,
    userns: request.userns,
  };
}

/** A manifest that a user wrote: apps without `app` get their image's, image names become ids. */
export function reifyManifest(manifest: PodManifest, images: Images): PodManifest {
  return { ...manifest, apps: manifest.apps.map((app) => reifyApp(app, imageOf(images, app.image.id))) };
}

function imageOf(images: Images, name: string): ImageRecord {
  const image = images.get(name);
  if (image === undefined) throw new GantryError("NoSuchImage", `there is no image ${quoted(name)}`);
  return image;
}

function podAppOf(request: PodRequest, app: AppRequest, image: ImageRecord): PodApp {
  const name = app.name === undefined ? nameOfImage(image.names[0] ?? app.image) : checkName("app", app.name);
  return {
    name,
    image: imageIdentity(image),
    app: overriddenApp(request, app, image),
    readOnlyRootFS: app.readOnlyRootFS ?? false,
    mounts: mergeMounts(request.mounts, app.mounts),
    annotations: app.annotations,
    restart: app.restart ?? { policy: "no" },
    log: app.log ?? "pipe",
    stdin: request.stdin && !request.terminal ? "stream" : "null",
    terminal: request.terminal,
    ready: image.app.notifies ? "app" : "exec",
    stopTimeout: app.stopTimeout ?? 10,
    stopSignal: app.stopSignal ?? image.app.stopSignal,
  };
}

function imageIdentity(image: ImageRecord, called?: string): PodApp["image"] {
  const labels = Object.entries(image.labels).map(([name, value]) => ({ name, value }));
  // Whoever may start the pod is asked by this name, so that it is one that the image has.
  const name = image.names.find((one) => one === called) ?? image.names[0];
  return { id: image.id, ...(name === undefined ? {} : { name }), labels };
}

/** An app's mount of a path replaces the pod's of the same path. */
function mergeMounts(all: readonly VolumeMount[], own: readonly VolumeMount[]): VolumeMount[] {
  const paths = new Set(own.map((mount) => mount.path));
  return [...all.filter((mount) => !paths.has(mount.path)), ...own];
}

function overriddenApp(request: PodRequest, app: AppRequest, image: ImageRecord): App {
  const base = appOfImage(image, { args: app.args, exec: app.exec });
  const group = app.group ?? (app.user === undefined ? base.group : defaultGroup(image));
  const terminal = request.terminal ? [{ name: "TERM", value: request.term }] : [];
  return {
    ...base,
    user: app.user ?? base.user,
    group,
    supplementaryGIDs: [...(app.supplementaryGids ?? base.supplementaryGIDs)],
    workingDirectory: posix.resolve("/", app.workingDirectory ?? base.workingDirectory),
    environment: mergeVariables(
      request.inherited,
      terminal,
      base.environment,
      request.environment,
      app.environment,
    ),
    isolators: mergeIsolators(base.isolators, app.isolators),
  };
}

/** appc knows no "group of that user": a user given without a group leaves the image's group alone. */
function defaultGroup(image: ImageRecord): string {
  return image.kind === "appc" ? image.app.group : "";
}

/** Isolators given by the user replace the image's of the same name, capability and seccomp sets of either kind. */
function mergeIsolators(image: App["isolators"], own: App["isolators"]): App["isolators"] {
  const family = (name: string) => name.replace(/-(retain|remove)-set$/, "");
  const replaced = new Set(own.map(({ name }) => family(name)));
  return [...image.filter(({ name }) => !replaced.has(family(name))), ...own];
}

function reifyApp(app: PodApp, image: ImageRecord): PodApp {
  if (app.app !== undefined && app.args !== undefined) {
    throw new GantryError("BadManifest", `app ${quoted(app.name)}: args and app exclude each other`);
  }
  const { args, ...rest } = app;
  return {
    ...rest,
    image: imageIdentity(image, app.image.name),
    app: app.app ?? appOfImage(image, { args }),
    ready: app.ready ?? (image.app.notifies ? "app" : "exec"),
    stopSignal: app.stopSignal ?? image.app.stopSignal,
  };
}

type Words = { readonly args?: readonly string[] | undefined; readonly exec?: string | undefined };

function appOfImage(image: ImageRecord, words: Words): App {
  const { app } = image;
  return {
    exec: commandOf(app, words),
    user: app.user === "" ? "0" : app.user,
    group: app.group,
    supplementaryGIDs: app.supplementaryGids,
    // An OCI image may say nothing, or a path without the leading slash (oci-and-docker: taken from /).
    workingDirectory: posix.resolve("/", app.workingDirectory),
    environment: app.environment,
    eventHandlers: [],
    mountPoints: app.mountPoints,
    ports: app.ports.map((port) => ({ ...port, socketActivated: false })),
    isolators: app.isolators.map(({ name, value }) => ({ name, value })),
    userAnnotations: {},
    userLabels: {},
  };
}

/** Entrypoint, then the user's arguments, else Cmd; a new entrypoint clears Cmd (Docker's rule; appc has no Cmd). */
function commandOf(app: ImageApp, { args, exec }: Words): string[] {
  const entrypoint = exec === undefined ? app.entrypoint : exec === "" ? [] : [exec];
  const rest = args ?? (exec === undefined ? app.cmd : []);
  return [...entrypoint, ...rest];
}
