/** Manual pages in the macros of man(7). Text goes in as it is; everything that troff would read as its own is escaped. */

/** One line or more of roff. */
export type Roff = string;

export type Page = { readonly name: string; readonly section: number; readonly body: readonly Roff[] };

/** The whole file of a page. */
export function pageText({ name, section, body }: Page, version: string): string {
  return `.TH ${name} ${section} "" "Gantry ${version}"\n${body.join("")}`;
}

/** NAME, in the form that whatis(1) reads. */
export function nameSection(name: string, summary: string): Roff {
  return `.SH NAME\n${escaped(name)} \\- ${escaped(summary)}\n`;
}

export function section(title: string, ...parts: readonly Roff[]): Roff {
  return `.SH ${title}\n${begun(parts)}`;
}

export function subsection(title: string, ...parts: readonly Roff[]): Roff {
  return `.SS ${escaped(title)}\n${begun(parts)}`;
}

/** The heading has begun the first paragraph already. */
function begun(parts: readonly Roff[]): Roff {
  return parts.join("").replace(/^\.PP\n/, "");
}

/** A paragraph; `code` in backticks becomes bold. */
export function paragraph(text: string): Roff {
  return `.PP\n${prose(text)}\n`;
}

/** A term and what is said of it. */
export function item(term: string, text: string): Roff {
  return `.TP\n.B ${guarded(escaped(term))}\n${prose(text)}\n`;
}

/** The same, with several things said, each on a line of its own. */
export function itemLines(term: string, lines: readonly string[]): Roff {
  return `.TP\n.B ${guarded(escaped(term))}\n${lines.map(prose).join("\n.br\n")}\n`;
}

/** Lines as they are. */
export function literal(lines: readonly string[]): Roff {
  return `.PP\n.nf\n.RS 4\n${lines.map((line) => guarded(escaped(line))).join("\n")}\n.RE\n.fi\n`;
}

function prose(text: string): Roff {
  const marked = escaped(text.trim()).replace(/`([^`]*)`/g, "\\fB$1\\fR");
  return marked.split("\n").map(guarded).join("\n");
}

/** A hyphen stays what a shell needs, and an ellipsis what every terminal has. */
function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("…", "...");
}

/** A line must not begin as a request does. */
function guarded(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}
