/** Where in a JSON text a key stands: an editor wants a line, a schema only knows a path. */

/** The line, from 1, of a position in the text. */
export function lineAt(text: string, position: number): number {
  return text.slice(0, position).split("\n").length;
}

/** The line of the value at `path`, or of the deepest part of the path that is there. The text is valid JSON. */
export function lineOfPath(text: string, path: readonly PropertyKey[]): number {
  const tokens = [...text.matchAll(TOKEN)];
  let at = 0;
  for (const key of path) {
    const next = childOf(tokens, at, key);
    if (next === undefined) break;
    at = next;
  }
  return lineAt(text, tokens[at]?.index ?? 0);
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g;

/** The token at which the value of `key` begins, in the object or array that begins at token `at`. */
function childOf(tokens: readonly RegExpMatchArray[], at: number, key: PropertyKey): number | undefined {
  const inObject = tokens[at]?.[0] === "{";
  let index = 0;
  for (let token = at + 1; token < tokens.length; index += 1) {
    const word = tokens[token]?.[0] ?? "";
    if (word === "}" || word === "]") return undefined;
    const value = inObject ? token + 2 : token;
    if (inObject ? JSON.parse(word) === key : index === key) return value;
    token = endOf(tokens, value);
    if (tokens[token]?.[0] === ",") token += 1;
  }
  return undefined;
}

/** The token behind the value that begins at token `at`. */
function endOf(tokens: readonly RegExpMatchArray[], at: number): number {
  let depth = 0;
  for (let token = at; token < tokens.length; token += 1) {
    const word = tokens[token]?.[0] ?? "";
    if (word === "{" || word === "[") depth += 1;
    if (word === "}" || word === "]") depth -= 1;
    if (depth === 0) return token + 1;
  }
  return tokens.length;
}
