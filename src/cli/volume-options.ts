/** --volume and --mount. */

import { quoted } from "../base/text.ts";
import type { PodRequest } from "../manager/manager.ts";
import { boolean, integer, invalid, parametersOf } from "./option-text.ts";

type Volume = NonNullable<PodRequest["volumes"]>[number];

/** `NAME,kind=host|empty[,…]`. Throws Usage. */
export function volume(text: string): Volume {
  const [name = "", ...rest] = text.split(",");
  const parameters = parametersOf("volume", text, rest);
  const allowed = ["kind", "source", "readOnly", "recursive", "mode", "uid", "gid"];
  const unknown = Object.keys(parameters).find((key) => !allowed.includes(key));
  if (unknown !== undefined) throw invalid("volume", text, `unknown volume parameter ${quoted(unknown)}`);
  const { kind, source, mode, readOnly, recursive, uid, gid } = parameters;
  if (kind !== "host" && kind !== "empty") {
    throw invalid("volume", text, 'unrecognized volume kind: should be one of "empty", "host"');
  }
  const given = {
    name,
    kind,
    ...(source === undefined ? {} : { source }),
    ...(mode === undefined ? {} : { mode }),
    ...(readOnly === undefined ? {} : { readOnly: boolean("volume", text, readOnly) }),
    ...(recursive === undefined ? {} : { recursive: boolean("volume", text, recursive) }),
    ...(uid === undefined ? {} : { uid: integer("volume", text, uid) }),
    ...(gid === undefined ? {} : { gid: integer("volume", text, gid) }),
  };
  if (kind === "host" && source === undefined)
    throw invalid("volume", text, "source for host volume cannot be empty");
  // What does not go with the kind is refused by the manager's schema.
  return given as Volume;
}

/** `volume=NAME,target=PATH`. Throws Usage. */
export function mount(text: string): { volume: string; path: string } {
  const parameters = parametersOf("mount", text, text.split(","));
  const unknown = Object.keys(parameters).find((key) => key !== "volume" && key !== "target");
  if (unknown !== undefined) throw invalid("mount", text, `unknown mount parameter ${quoted(unknown)}`);
  const { volume: name, target } = parameters;
  if (name === undefined || target === undefined)
    throw invalid("mount", text, "volume and target must be set");
  return { volume: name, path: target };
}
