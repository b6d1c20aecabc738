/** OCI documents of our own: the configuration that an appc image means, and the manifest and index around packed layers. */
import type { Packed } from "./packed.ts";
import type { ImageApp, ImageRecord } from "./record.ts";

const OCI = "application/vnd.oci.image";
export const OCI_CONFIG = `${OCI}.config.v1+json`;
export const OCI_MANIFEST = `${OCI}.manifest.v1+json`;
const OCI_INDEX = `${OCI}.index.v1+json`;
const REF_NAME = "org.opencontainers.image.ref.name";

export type OciDescriptor = {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
};

/** The media type of a layer that is compressed this way. */
export function layerType(compression: "none" | "gzip" | "zstd"): string {
  return `${OCI}.layer.v1.tar${compression === "none" ? "" : `+${compression}`}`;
}

/** A configuration with the diff ids of what was packed; its history goes unless it tells of as many layers. */
export function configurationOf(document: unknown, layers: readonly Packed[]): Record<string, unknown> {
  const { history, ...rest } = document as { readonly history?: unknown };
  const told = Array.isArray(history) ? history.filter((step) => !isEmpty(step)).length : 0;
  return {
    ...rest,
    rootfs: { type: "layers", diff_ids: layers.map(({ diff }) => `sha256:${diff.sha256}`) },
    ...(told === layers.length ? { history } : {}),
  };
}

function isEmpty(step: unknown): boolean {
  return (step as { readonly empty_layer?: unknown } | null)?.empty_layer === true;
}

/** The configuration that means an image's app (OCI image specification, conversion.md, read backwards). */
export function configurationOfApp({
  app,
  platform,
  labels,
  created,
}: Pick<ImageRecord, "app" | "platform" | "labels" | "created">): Record<string, unknown> {
  const { os, architecture, variant } = platform;
  return {
    ...(created === undefined ? {} : { created }),
    ...{ architecture, ...(variant === undefined ? {} : { variant }), os },
    config: executionOf(app, labels),
  };
}

function executionOf(app: ImageApp, labels: Readonly<Record<string, string>>) {
  const names = (items: readonly string[]) => Object.fromEntries(items.map((item) => [item, {}]));
  const ports = app.ports.map(({ port, count, protocol }) =>
    count === 1 ? `${port}/${protocol}` : `${port}-${port + count - 1}/${protocol}`,
  );
  return {
    User: app.group === "" ? app.user : `${app.user}:${app.group}`,
    ...(ports.length === 0 ? {} : { ExposedPorts: names(ports) }),
    Env: app.environment.map(({ name, value }) => `${name}=${value}`),
    Entrypoint: app.entrypoint,
    Cmd: app.cmd,
    ...(app.mountPoints.length === 0 ? {} : { Volumes: names(app.mountPoints.map(({ path }) => path)) }),
    WorkingDir: app.workingDirectory,
    Labels: labels,
    StopSignal: app.stopSignal,
  };
}

/** A manifest around a configuration and layers. */
export function manifestOf(
  config: OciDescriptor,
  layers: readonly OciDescriptor[],
  annotations: Readonly<Record<string, string>> = {},
): Record<string, unknown> {
  const more = Object.keys(annotations).length === 0 ? {} : { annotations };
  return { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers, ...more };
}

/** index.json of a layout; each manifest with the name it is found by. */
export function indexOf(
  manifests: readonly { readonly descriptor: OciDescriptor; readonly ref?: string | undefined }[],
): Record<string, unknown> {
  return {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: manifests.map(({ descriptor, ref }) => ({
      ...descriptor,
      ...(ref === undefined ? {} : { annotations: { ...descriptor.annotations, [REF_NAME]: ref } }),
    })),
  };
}
