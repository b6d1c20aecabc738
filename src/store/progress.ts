/** How far an import is, as events: the lines of `gantry fetch --format=json` and what its bars are drawn from. */

export type LayerTask = {
  /** Digest of the archive; its diff id where nothing else names it. */
  readonly layer: string;
  /** Bytes of the archive. */
  readonly size: number;
};

export type Progress =
  /** What is being done now. */
  | { readonly event: "phase"; readonly phase: Phase }
  /** Layers of the image, those that are in the store already among them. */
  | { readonly event: "layers"; readonly layers: readonly LayerTask[] }
  /** So many bytes of a layer's archive have come in all. */
  | { readonly event: "progress"; readonly layer: string; readonly bytes: number }
  /** A layer is in the store, since just now or from before. */
  | { readonly event: "layer"; readonly layer: string; readonly state: "done" | "present" }
  /** A line for people. */
  | { readonly event: "log"; readonly text: string };

export type Phase = "resolving" | "verifying" | "importing";
