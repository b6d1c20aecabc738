/**
 * What path whitelists leave of a layer (appc 0.8.11, "Image Manifest Schema", pathWhitelist), decided from its digest
 * list (docs/unpacker.md): names as that writes them, no file is looked at.
 */
import { posix } from "node:path";

export type ListedEntry = { readonly type: string; readonly path: string };

export type Whitelist = {
  /** Absolute, as the manifest has them. */
  readonly paths: readonly string[];
  /**
   * An image's own directories pass its own whitelist; those of its dependencies are only kept as far as something in
   * them is.
   */
  readonly own: boolean;
};

/** The kept paths in the list's order, each once, the root among them; undefined when that is every path. */
export function keptPaths(entries: Iterable<ListedEntry>, { paths, own }: Whitelist): string[] | undefined {
  const listed = new Set(paths.map(listPath));
  const all = new Set<string>();
  const kept = new Set(["."]);
  for (const { type, path } of entries) {
    all.add(path);
    if (listed.has(path) || (own && type === "d")) keep(kept, path);
  }
  return kept.size === all.size ? undefined : [...all].filter((path) => kept.has(path));
}

/** With the directories it lies in: it could not be there without them. */
function keep(kept: Set<string>, path: string): void {
  for (let at = path; at !== "." && !kept.has(at); at = posix.dirname(at)) kept.add(at);
}

/** A whitelist's path as a digest list writes it. */
function listPath(path: string): string {
  const clean = posix.normalize(`/${path}`).replace(/\/$/, "").slice(1);
  return clean === "" ? "." : encodePath(Buffer.from(clean));
}

function encodePath(bytes: Buffer): string {
  return bytes
    .toString("latin1")
    .replace(/[^!-$&-~]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}
