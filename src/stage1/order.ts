/** The launch order: what `run`, `run-prepared` and `start` hand to the native front (docs/launch-plan.md). */

export type LaunchOrder = {
  readonly version: 1;
  readonly pods: readonly { readonly directory: string; readonly uuid: string; readonly name: string }[];
  readonly attach: "detach" | "foreground";
  readonly terminal: boolean;
  readonly stdin: boolean;
};
