/** What a caller asks for when a pod is made of images: the manifest's author is then Gantry. */
import type { ImageRecord } from "../image/record.ts";
import type { Isolator, PodApp, Volume, VolumeMount } from "./manifest.ts";

export type Variable = { readonly name: string; readonly value: string };

/** Words that replace what the image says about one app. */
export type AppRequest = {
  readonly image: string;
  readonly name?: string;
  readonly args?: readonly string[];
  /** Replaces the entrypoint and clears the image's own arguments; `""` leaves no entrypoint. */
  readonly exec?: string;
  readonly user?: string;
  readonly group?: string;
  readonly supplementaryGids?: readonly number[];
  readonly workingDirectory?: string;
  readonly environment: readonly Variable[];
  readonly mounts: readonly VolumeMount[];
  readonly isolators: readonly Isolator[];
  readonly readOnlyRootFS?: boolean;
  readonly restart?: PodApp["restart"];
  readonly annotations: readonly Variable[];
  readonly stopTimeout?: number;
  readonly stopSignal?: string;
  readonly log?: PodApp["log"];
};

export type PodRequest = {
  readonly name?: string;
  readonly hostname?: string;
  readonly network: readonly string[];
  readonly userns: "pod" | "host";
  readonly volumes: readonly Volume[];
  /** For every app. */
  readonly mounts: readonly VolumeMount[];
  /** Of the caller, with --inherit-env: weaker than the image's. */
  readonly inherited: readonly Variable[];
  /** From --set-env-file and --set-env, in this order: stronger than the image's. */
  readonly environment: readonly Variable[];
  /** A terminal, or standard input as a stream, for the one app. */
  readonly terminal: boolean;
  readonly stdin: boolean;
  /** TERM for a terminal. */
  readonly term?: string;
  readonly apps: readonly AppRequest[];
};

/** An image as a pod uses it. */
export type PodImage = ImageRecord;
