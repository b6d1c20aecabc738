/** Fetches on the other side of the bus: what is asked for, and what comes back while one goes on. */
import type { FetchWatch, PrepareOptions, Progress } from "./manager.ts";

type Wishes = Pick<PrepareOptions, "insecureOptions" | "pullPolicy">;

/** As the Manager's methods take them. */
export function fetchOptions({ insecureOptions, pullPolicy }: Wishes) {
  return {
    ...(insecureOptions.length > 0 ? { insecure: insecureOptions } : {}),
    ...(pullPolicy === undefined ? {} : { pullPolicy }),
  };
}

/** The agent's own words, of the same version of Gantry or a newer one, whose further events nobody here knows. */
export function parseEvent(json: string): Progress & { readonly source: string } {
  return JSON.parse(json);
}

/** Shows each image that is fetched to the caller, one after the other. */
export function watchFetches({ watchFetch }: Pick<PrepareOptions, "watchFetch">): Disposable & {
  readonly onEvent: (json: string) => void;
  /** Aborted when the caller cancels the fetch he watches. */
  readonly signal: AbortSignal;
} {
  const cancel = new AbortController();
  let current: { readonly source: string; readonly watch: FetchWatch } | undefined;
  const end = () => {
    current?.watch[Symbol.dispose]();
    current = undefined;
  };
  return {
    onEvent: (json) => {
      const { source, ...progress } = parseEvent(json);
      if (watchFetch === undefined) return;
      if (current?.source !== source) {
        end();
        current = { source, watch: watchFetch(source) };
        current.watch.signal.addEventListener("abort", () => cancel.abort());
      }
      current.watch.progress(progress);
    },
    signal: cancel.signal,
    [Symbol.dispose]: end,
  };
}
