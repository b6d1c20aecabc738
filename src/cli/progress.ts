/** How far an import is: one line that rewrites itself on a terminal, a line per layer elsewhere. */
import { printable } from "../base/text.ts";
import type { Progress } from "../manager/images.ts";
import { sizeText } from "./size.ts";
import type { Context } from "./verb.ts";

export type ProgressLine = Disposable & { show(progress: Progress): void };

const WIDTH = 30;

/** Shows the import of `source` on standard error; disposing of it clears the line. */
export function progressLine(context: Context, source: string): ProgressLine {
  let shown = false;
  const name = printable(source);
  return {
    show: (progress) => {
      if (!context.stdoutTerminal) return context.err(`${name}: ${progress.layer} ${countText(progress)}\n`);
      shown = true;
      context.err(`\r\x1b[K${name} ${barOf(progress)} ${countText(progress)}`);
    },
    [Symbol.dispose]: () => {
      if (shown) context.err("\r\x1b[K");
      shown = false;
    },
  };
}

function barOf({ done, total }: Progress): string {
  const filled = total === 0 ? WIDTH : Math.round((WIDTH * done) / total);
  return `[${"=".repeat(filled)}${" ".repeat(WIDTH - filled)}]`;
}

function countText({ done, total }: Progress): string {
  return `${sizeText(done)} of ${sizeText(total)}`;
}
