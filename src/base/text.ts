/** Text from outside, made safe to show. */

/**
 * Replaces control characters (C0, DEL, C1, line separators, bidirectional overrides) by `\xNN` or `\uNNNN`, so
 * that a name from an image or a registry can neither move the cursor nor forge a second line.
 */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, escapeCharacter);
}

/** Whether all of it can be shown as it is, and written as UTF-8, which half a surrogate pair can't. */
export function isPrintable(text: string): boolean {
  return printable(text) === text && !/\p{Surrogate}/u.test(text);
}

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** `value` in double quotes, printable and cut to `limit` characters: the way an error names an object. */
export function quoted(value: string, limit = 200): string {
  const cut = value.length > limit ? `${value.slice(0, limit)}…` : value;
  return `"${printable(cut)}"`;
}
