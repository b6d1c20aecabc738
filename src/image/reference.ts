/**
 * Every way to name an image on a command line (DESIGN section 6), parsed without looking at the disk or the
 * network. What a name means in a store is the store's matter.
 */
import { resolve } from "node:path";
import { GantryError } from "../base/errors.ts";
import { quoted, withoutSecrets } from "../base/text.ts";
import { type AppName, parseAppName } from "./app-name.ts";
import { type Algorithm, digits, isAlgorithm } from "./digest.ts";
import { parseRepository, type Repository } from "./repository.ts";

export type ImageReference =
  /** `oci:DIR[:REF]`; REF is a name of the layout's index, or `@DIGEST`. */
  | { readonly kind: "oci-layout"; readonly path: string; readonly ref?: string }
  | { readonly kind: "oci-archive"; readonly path: string; readonly ref?: string }
  | { readonly kind: "docker-archive"; readonly path: string; readonly ref?: string }
  /** `file:///…`, `/…`, `./…`, `../…`, `….aci`: what it is, is found by its content. */
  | { readonly kind: "file"; readonly path: string }
  /** An image id or the beginning of one; without an algorithm, of either. */
  | { readonly kind: "id"; readonly algorithm?: Algorithm; readonly hex: string }
  /** A name an image was imported under, or an appc name to be discovered. */
  | { readonly kind: "name"; readonly name: string; readonly app?: AppName }
  | { readonly kind: "registry"; readonly repository: Repository }
  | { readonly kind: "url"; readonly url: string };

/** References that say where an image's bytes are on this machine. */
export type FileReference = Extract<ImageReference, { path: string }>;

const SHORTEST_ID = 12;

/** Parses an image argument; relative paths become absolute. Throws BadReference. */
export function parseImageReference(argument: string): ImageReference {
  if (argument === "") throw new GantryError("BadReference", "an empty string names no image");
  if (argument.includes("\0")) throw new GantryError("BadReference", `${quoted(argument)} holds a NUL byte`);
  return (
    transportReference(argument) ??
    pathReference(argument) ??
    idReference(argument) ??
    nameReference(argument)
  );
}

/** The argument that means this reference again, with its path absolute. */
export function fileReferenceText(reference: FileReference): string {
  if (reference.kind === "file") return reference.path;
  const transport = reference.kind === "oci-layout" ? "oci" : reference.kind;
  return `${transport}:${reference.path}${reference.ref === undefined ? "" : `:${reference.ref}`}`;
}

/** What of the references names an image of a registry; a name that can't be appc's is one of those. */
export function repositoryOf(reference: ImageReference): Repository | undefined {
  if (reference.kind === "registry") return reference.repository;
  return reference.kind === "name" && reference.app === undefined
    ? parseRepository(reference.name)
    : undefined;
}

function transportReference(argument: string): ImageReference | undefined {
  const match = /^(docker|oci|https?|file):\/\/(.*)$/s.exec(argument);
  if (match === null) return localTransportReference(argument);
  const [, scheme = "", rest = ""] = match;
  switch (scheme) {
    case "docker":
    case "oci":
      return { kind: "registry", repository: parseRepository(rest) };
    case "file":
      return fileUrlReference(argument, rest);
    default:
      return urlReference(argument);
  }
}

function localTransportReference(argument: string): ImageReference | undefined {
  const match = /^(oci|oci-archive|docker-archive|docker):([^:]*)(?::(.*))?$/s.exec(argument);
  if (match === null) return undefined;
  const [, transport = "", path = "", ref] = match;
  if (transport === "docker") return { kind: "registry", repository: parseRepository(argument.slice(7)) };
  if (path === "") throw new GantryError("BadReference", `${quoted(argument)} names no path`);
  if (ref === "")
    throw new GantryError("BadReference", `${quoted(argument)} has nothing after its last colon`);
  const kind =
    transport === "oci" ? "oci-layout" : transport === "oci-archive" ? "oci-archive" : "docker-archive";
  return { kind, path: resolve(path), ...(ref === undefined ? {} : { ref }) };
}

function fileUrlReference(argument: string, rest: string): ImageReference {
  const path = rest.startsWith("localhost/") ? rest.slice("localhost".length) : rest;
  if (!path.startsWith("/"))
    throw new GantryError("BadReference", `${quoted(argument)} has no absolute path`);
  try {
    return { kind: "file", path: resolve(decodeURIComponent(path)) };
  } catch (cause) {
    throw new GantryError("BadReference", `${quoted(argument)} is not a well-formed URL`, { cause });
  }
}

function urlReference(argument: string): ImageReference {
  const shown = quoted(withoutSecrets(argument));
  if (!URL.canParse(argument) || /[\s"]/.test(argument))
    throw new GantryError("BadReference", `${shown} is not a well-formed URL`);
  const { username, password } = new URL(argument);
  if (username !== "" || password !== "") {
    throw new GantryError("BadReference", `the URL ${shown} comes with a user or a password`, {
      hint: "credentials go into a file of auth.d: gantry-registries(5)",
    });
  }
  return { kind: "url", url: argument };
}

function pathReference(argument: string): ImageReference | undefined {
  return /^(\/|\.\.?\/)|\.aci$/.test(argument) ? { kind: "file", path: resolve(argument) } : undefined;
}

function idReference(argument: string): ImageReference | undefined {
  const match = /^(?:(sha256|sha512)[-:])?([0-9a-f]+)$/.exec(argument);
  if (match === null) return undefined;
  const [, algorithm, hex = ""] = match;
  if (algorithm === undefined || !isAlgorithm(algorithm)) {
    return hex.length >= SHORTEST_ID && hex.length <= digits("sha512") ? { kind: "id", hex } : undefined;
  }
  if (hex.length < SHORTEST_ID || hex.length > digits(algorithm)) {
    const range = `${SHORTEST_ID} to ${digits(algorithm)}`;
    throw new GantryError("BadReference", `image id ${quoted(argument)} needs ${range} hexadecimal digits`);
  }
  return { kind: "id", algorithm, hex };
}

function nameReference(argument: string): ImageReference {
  const app = parseAppName(argument);
  if (app !== undefined) return { kind: "name", name: argument, app };
  // Not an appc name; it can still be the registry name of an image in the store, such as 127.0.0.1:5000/app:1.0.
  parseRepository(argument);
  return { kind: "name", name: argument };
}
