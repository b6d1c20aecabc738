/** SIGINT, SIGTERM and SIGHUP as an AbortSignal, so that long work undoes itself instead of being cut off. */

export type Interrupt = Disposable & { readonly signal: AbortSignal };

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Listens until it is disposed of. A second signal ends the process as it would have without us. */
export function listenForInterrupt(): Interrupt {
  const controller = new AbortController();
  const abort = () => controller.abort();
  for (const name of SIGNALS) process.once(name, abort);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const name of SIGNALS) process.off(name, abort);
    },
  };
}
