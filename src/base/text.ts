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

/**
 * `text` with the URLs in it bare of what may be a secret: a user with his password, and a query, which may be a
 * signature. For what others than the caller and the server get to see.
 */
export function withoutSecrets(text: string): string {
  return text.replace(/https?:\/\/[^\s"]+/gi, bareUrl);
}

function bareUrl(url: string): string {
  // What is no URL has its secrets anywhere.
  if (!URL.canParse(url)) return `${url.slice(0, url.indexOf("//") + 2)}…`;
  // A quote of the shell's at the end is not the URL's.
  return url.replace(/(?<=^\w+:\/\/)[^/?#]*@/, "").replace(/[?#].*?('?)$/, "$1");
}

/** `value` in double quotes, printable and cut to `limit` characters: the way an error names an object. */
export function quoted(value: string, limit = 200): string {
  const cut = value.length > limit ? `${value.slice(0, limit)}…` : value;
  return `"${printable(cut)}"`;
}
