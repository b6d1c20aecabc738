/** What the planner works on: a reified manifest with everything that was decided about the pod. Pure data. */
import type { ImageRecord } from "../image/record.ts";
import type { IdRange } from "../stage1/words.ts";
import type { Isolation } from "./isolators.ts";
import type { App, PodApp, PodManifest } from "./manifest.ts";
import type { PodUnits } from "./unit-name.ts";

export type PodDraft = {
  readonly uuid: string;
  /** The pod's name, or its UUID: what its units are called by. */
  readonly pod: string;
  readonly manifest: PodManifest;
  readonly units: PodUnits;
  /** Whether `gantry@<name>.service` runs its sandbox. */
  readonly installed: boolean;
  readonly userns: IdRange;
  readonly net: "none" | "host";
  readonly hostname: string;
  readonly isolation: Isolation;
  readonly apps: readonly AppDraft[];
  readonly places: Places;
};

export type AppDraft = {
  readonly name: string;
  readonly manifest: PodApp;
  readonly app: App;
  readonly image: ImageRecord;
  readonly isolation: Isolation;
  readonly volumes: readonly AppVolume[];
};

/** A volume as one app sees it. */
export type AppVolume = {
  readonly path: string;
  /** On the host. */
  readonly source: string;
  readonly readOnly: boolean;
  readonly recursive: boolean;
  /** Whether stage1 makes it, of what the image has there. */
  readonly copied: boolean;
};

/** Absolute paths the documents mention. */
export type Places = {
  /** The pod's directory once it is prepared. */
  readonly pod: string;
  readonly layers: string;
  readonly libexec: string;
  readonly socket: string;
};
