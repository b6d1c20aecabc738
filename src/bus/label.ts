/** Object path labels, escaped as systemd does: every byte outside [A-Za-z0-9], and a leading digit, is `_xx`. */

/** The label of a name; the empty name is `_`. */
export function escapeLabel(name: string): string {
  if (name === "") return "_";
  const bytes = [...Buffer.from(name, "utf8")];
  return bytes.map((byte, at) => (isPlain(byte, at) ? String.fromCharCode(byte) : hex(byte))).join("");
}

/** The name of a label, or undefined when no name escapes to it. */
export function unescapeLabel(label: string): string | undefined {
  if (label === "_") return "";
  const bytes = Buffer.from(
    label.replace(/_([0-9a-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
    "latin1",
  );
  const name = bytes.toString("utf8");
  return escapeLabel(name) === label ? name : undefined;
}

function isPlain(byte: number, at: number): boolean {
  const isDigit = byte >= 0x30 && byte <= 0x39;
  const isLetter = (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
  return isLetter || (isDigit && at > 0);
}

function hex(byte: number): string {
  return `_${byte.toString(16).padStart(2, "0")}`;
}
