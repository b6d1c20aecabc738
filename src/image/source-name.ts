/** The names under which an image from a file is kept. */
import { basename } from "node:path";
import { GantryError } from "../base/errors.ts";
import { parseRepository, repositoryText } from "./repository.ts";

/** A registry name in its one canonical form; undefined when it is no such name, as annotations may say anything. */
export function canonicalName(name: string): string | undefined {
  try {
    return repositoryText(parseRepository(name));
  } catch (error) {
    if (error instanceof GantryError) return undefined;
    throw error;
  }
}

/**
 * `localhost/<file>:<tag>` for an image that comes with a tag only, or none: a name that no registry can have, so that
 * a file can't pass for an image of somebody else.
 */
export function localName(path: string, tag: string): string | undefined {
  const base = basename(path)
    .toLowerCase()
    .replace(/(\.(tar|tgz|txz|tbz2?|gz|zst|xz|bz2))+$/, "");
  return canonicalName(`localhost/${base}:${tag}`);
}
