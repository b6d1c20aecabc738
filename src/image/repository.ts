/** Names of images in registries, `[registry[:port]/]repository[:tag][@digest]` (distribution specification, Docker). */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { parseDigest } from "./digest.ts";

export type Repository = {
  /** The host as Docker names it: `docker.io` when the name tells none. */
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
};

const PATH = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;
const HOST =
  /^([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const LONGEST = 255;

/**
 * Parses a registry name. The tag is `latest` when neither tag nor digest is given; with both, the digest decides.
 * Throws BadReference.
 */
export function parseRepository(text: string): Repository {
  const [rest, digest] = cutDigest(text);
  const [path, tag] = cutTag(rest);
  const { registry, repository } = splitHost(path);
  if (!HOST.test(registry) || !PATH.test(repository) || registry.length + repository.length > LONGEST) {
    throw new GantryError("BadReference", `${quoted(text)} is not an image name`);
  }
  if (tag !== undefined && !TAG.test(tag)) {
    throw new GantryError("BadReference", `${quoted(text)}: ${quoted(tag)} is not a tag`);
  }
  return {
    registry,
    repository,
    ...(tag === undefined && digest === undefined ? { tag: "latest" } : {}),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** The canonical text, such as `docker.io/library/debian:12`. */
export function repositoryText({ registry, repository, tag, digest }: Repository): string {
  return `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

function cutDigest(text: string): [string, string | undefined] {
  const at = text.indexOf("@");
  if (at < 0) return [text, undefined];
  const digest = text.slice(at + 1);
  try {
    parseDigest(digest);
  } catch (cause) {
    throw new GantryError("BadReference", `${quoted(text)}: ${quoted(digest)} is not a digest`, { cause });
  }
  return [text.slice(0, at), digest];
}

function cutTag(text: string): [string, string | undefined] {
  // A colon before the last slash belongs to a port.
  const at = text.indexOf(":", text.lastIndexOf("/") + 1);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function splitHost(path: string): { registry: string; repository: string } {
  const slash = path.indexOf("/");
  const first = path.slice(0, slash);
  if (slash > 0 && (/[.:]/.test(first) || first === "localhost")) {
    return { registry: first, repository: path.slice(slash + 1) };
  }
  return { registry: "docker.io", repository: slash < 0 ? `library/${path}` : path };
}
