/** What a server wants to see before it answers: WWW-Authenticate (RFC 9110, 11.6.1). */

export type Challenge = {
  /** In lower case, such as `bearer`. */
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
};

/** A parameter with its value quoted or not, or else a scheme. */
const PART =
  /[\s,]*(?:([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))|([\w!#$%&'*+.^`|~-]+)(?=[\s,]|$))/y;

/** The challenges of a header, in order; what follows something unreadable is left out. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  PART.lastIndex = 0;
  for (let part = PART.exec(header); part !== null; part = PART.exec(header)) {
    const [, name, quotedValue, value = "", scheme] = part;
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
    else challenges.at(-1)?.parameters.set((name ?? "").toLowerCase(), unescaped(quotedValue) ?? value);
  }
  return challenges;
}

function unescaped(text: string | undefined): string | undefined {
  return text?.replace(/\\(.)/gs, "$1");
}
