/** Help texts as roff: paragraphs, and blocks of indented rows whose left side is a term. */
import { item, paragraph, type Roff } from "./roff.ts";

export function helpText(text: string): Roff {
  return text
    .trimEnd()
    .split(/\n\n+/)
    .map((block) => helpBlock(block.split("\n")))
    .join("");
}

/** A heading may stand right above its rows. */
function helpBlock(lines: readonly string[]): Roff {
  const first = lines.findIndex((line) => line.startsWith("  "));
  if (first < 0) return paragraph(lines.join("\n"));
  const heading = lines.slice(0, first).join("\n");
  return (heading === "" ? "" : paragraph(heading)) + rows(lines.slice(first)).map(row).join("");
}

/** A row goes on in lines that are indented further than its term. */
function rows(lines: readonly string[]): string[] {
  return lines
    .join("\n")
    .replace(/\n {3,}/g, "  ")
    .split("\n")
    .map((line) => line.trim());
}

function row(text: string): Roff {
  const [term = "", ...meaning] = text.split(/ {2,}/);
  return item(term, meaning.join(" "));
}
