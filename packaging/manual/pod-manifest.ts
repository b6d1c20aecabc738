/** gantry-pod-manifest(5): keys, types and defaults from the schema; what they mean from the table below it. */
import * as z from "zod";
import { ISOLATOR_NAMES } from "../../src/pod/isolators.ts";
import { PodManifest } from "../../src/pod/manifest.ts";
import { ISOLATORS, MEANINGS, SAME_AS } from "./pod-manifest-keys.ts";
import { item, literal, nameSection, type Page, paragraph, type Roff, section } from "./roff.ts";

export function podManifestPage(): Page {
  const keys = keysOf(z.toJSONSchema(PodManifest, { io: "input", unrepresentable: "any" }) as Schema, "");
  const body = [
    nameSection("gantry-pod-manifest", "what a pod consists of"),
    section(
      "DESCRIPTION",
      paragraph(
        "A JSON document, appc's pod manifest (version 0.8.11) with a few keys of Gantry's own. `gantry run --pod-manifest=FILE` and `gantry prepare` read it, and `gantry cat-manifest` shows what a pod was prepared with. An unknown key is an error. A list that is null is empty.",
      ),
    ),
    section("KEYS", ...keys.map(keyItem)),
    section(
      "ISOLATORS",
      paragraph("Every other isolator is ignored, and the pod's report tells so."),
      ...describedOnly("isolator", ISOLATOR_NAMES, ISOLATORS).map(([name, text]) => item(name, text)),
    ),
    section("EXAMPLES", literal(EXAMPLE)),
    section("SEE ALSO", paragraph("gantry(1)")),
  ];
  describedOnly(
    "key",
    keys.map(({ path }) => path),
    MEANINGS,
  );
  return { name: "gantry-pod-manifest", section: 5, body };
}

const EXAMPLE = [
  "{",
  '  "acKind": "PodManifest", "acVersion": "0.8.11",',
  '  "name": "web",',
  '  "network": ["host"],',
  '  "apps": [',
  '    { "name": "http", "image": { "id": "docker.io/library/nginx:1" }, "restart": "on-failure" }',
  "  ],",
  '  "isolators": [ { "name": "resource/memory", "value": { "limit": "256M" } } ]',
  "}",
];

type Schema = {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly $ref?: string;
};

export type Key = { readonly path: string; readonly type: string; readonly note: string };

/** Every key below a schema, `apps[].name` for a key of a list's objects. */
function keysOf(schema: Schema, prefix: string): Key[] {
  const own = objectsOf(schema).flatMap(({ properties = {}, required = [] }) =>
    Object.entries(properties).flatMap(([name, value]) =>
      keyAndBelow(`${prefix}${name}`, value, required.includes(name)),
    ),
  );
  const paths = [...new Set(own.map(({ path }) => path))];
  return paths.map((path) => merged(own.filter((key) => key.path === path)));
}

/** A key that several kinds of an object have. */
function merged(keys: readonly Key[]): Key {
  const [{ path, note } = { path: "", note: "" }] = keys;
  return { path, note, type: [...new Set(keys.map(({ type }) => type))].join(", ") };
}

function keyAndBelow(path: string, schema: Schema, required: boolean): Key[] {
  const key = { path, type: typeOf(schema), note: noteOf(schema, required) };
  if (path in SAME_AS) return [key];
  const inList = alternatives(schema).some(({ items }) => items !== undefined);
  return [key, ...keysOf(schema, `${path}${inList ? "[]" : ""}.`)];
}

/** The object schemas that a value may be, itself or as a list's items. */
function objectsOf(schema: Schema): Schema[] {
  return alternatives(schema).flatMap((one) => {
    if (one.items !== undefined) return objectsOf(one.items);
    return one.properties === undefined ? [] : [one];
  });
}

function alternatives(schema: Schema): readonly Schema[] {
  const among = schema.anyOf ?? schema.oneOf;
  return among === undefined ? [schema] : among.flatMap(alternatives);
}

function typeOf(schema: Schema): string {
  const words = alternatives(schema)
    .filter(({ type }) => type !== "null")
    .map((one) => {
      if (one.const !== undefined) return JSON.stringify(one.const);
      if (one.enum !== undefined) return one.enum.map((word) => JSON.stringify(word)).join(", ");
      if (one.items !== undefined) return `list of ${typeOf(one.items)}`;
      return one.type ?? "any value";
    });
  return [...new Set(words)].join(" or ");
}

function noteOf(schema: Schema, required: boolean): string {
  if (schema.default !== undefined) return `; default ${JSON.stringify(schema.default)}`;
  return required ? "; required" : "";
}

function keyItem({ path, type, note }: Key): Roff {
  const same = SAME_AS[path] === undefined ? "" : ` Its keys are those of \`${SAME_AS[path]}\`.`;
  return item(path, `(${type}${note}) ${MEANINGS[path]}${same}`);
}

/** The rows of `table`, which are those of `wanted`: an undescribed name and a description of nothing stop the build. */
function describedOnly(
  what: string,
  wanted: readonly string[],
  table: Readonly<Record<string, string>>,
): [string, string][] {
  const missing = wanted.filter((name) => !(name in table));
  const superfluous = Object.keys(table).filter((name) => !wanted.includes(name));
  if (missing.length + superfluous.length > 0)
    throw new Error(
      `${what}s not described: ${missing.join(", ")}; described, but gone: ${superfluous.join(", ")}`,
    );
  return wanted.map((name) => [name, table[name] ?? ""]);
}
