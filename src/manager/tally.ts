/** How far a fetch is, added up from its events. */
import type { Phase, Progress } from "../store/progress.ts";

export type LayerTally = { readonly layer: string; readonly size: number; bytes: number; done: boolean };

export type Tally = {
  phase: Phase | undefined;
  /** In the image's order; a layer that is there twice counts once. */
  readonly layers: Map<string, LayerTally>;
};

export function makeTally(): Tally {
  return { phase: undefined, layers: new Map() };
}

export function noteProgress(tally: Tally, progress: Progress): void {
  switch (progress.event) {
    case "phase":
      tally.phase = progress.phase;
      return;
    case "layers":
      for (const { layer, size } of progress.layers) {
        if (!tally.layers.has(layer)) tally.layers.set(layer, { layer, size, bytes: 0, done: false });
      }
      return;
    case "progress": {
      const found = tally.layers.get(progress.layer);
      // A fetcher that nobody trusts counts them.
      if (found !== undefined && !found.done) found.bytes = Math.min(found.size, progress.bytes);
      return;
    }
    case "layer": {
      const found = tally.layers.get(progress.layer);
      if (found !== undefined) Object.assign(found, { bytes: found.size, done: true });
      return;
    }
    case "log":
      return;
  }
}

/** Bytes of all layers that have come, and that there are. */
export function sumOf(tally: Tally): { readonly done: number; readonly total: number } {
  const layers = [...tally.layers.values()];
  return {
    done: layers.reduce((sum, { bytes }) => sum + bytes, 0),
    total: layers.reduce((sum, { size }) => sum + size, 0),
  };
}
