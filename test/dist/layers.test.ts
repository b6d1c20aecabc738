/** The layer law: ARCHITECTURE.md's tables against every import and #include. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { files, folders } from "./tree.ts";

type Layer = { readonly mayUse: readonly string[]; readonly mayBeUsedBy: readonly string[] };
type Side = "src" | "native";
type Use = { readonly file: string; readonly from: string; readonly to: string };

const ROW = /^\| `(src|native)\/([a-z0-9]+)` \|[^|]*\|([^|]*)\|([^|]*)\|$/gm;

async function readLaw(side: Side): Promise<ReadonlyMap<string, Layer>> {
  const text = await readFile("ARCHITECTURE.md", "utf8");
  const rows = [...text.matchAll(ROW)].filter((row) => row[1] === side);
  return new Map(
    rows.map((row) => [row[2] ?? "", { mayUse: words(row[3]), mayBeUsedBy: words(row[4]) }] as const),
  );
}

function words(cell: string | undefined): string[] {
  const list = (cell ?? "").trim();
  return list === "nothing" ? [] : list.split(/, */);
}

/** `src/cli` of `src/cli/verbs/run.ts`: the second part of the path. */
function folderOf(path: string): string {
  return path.split("/")[1] ?? "";
}

/** Every use of one folder by another. */
async function uses(side: Side): Promise<Use[]> {
  const all = await files(side, side === "src" ? /\.c?ts$/ : /\.[ch]$/);
  const found = await Promise.all(all.map(async (file) => usesOf(side, file, await readFile(file, "utf8"))));
  return found.flat().filter((use) => use.from !== use.to);
}

function usesOf(side: Side, file: string, text: string): Use[] {
  const pattern =
    side === "src" ? /(?:from|import|import\()\s*"(\.[^"]+(?<!\.json))"/g : /^\s*#\s*include\s+"([^"]+)"/gm;
  return [...text.matchAll(pattern)].map((match) => ({
    file,
    from: folderOf(file),
    to: folderOf(target(side, file, match[1] ?? "")),
  }));
}

/** Native includes are written from native/, or from the including file's folder. */
function target(side: Side, file: string, written: string): string {
  const fromFile = normalize(join(dirname(file), written));
  if (side === "src" || written.startsWith(".") || !written.includes("/")) return fromFile;
  return `native/${written}`;
}

for (const side of ["src", "native"] as const) {
  test(`layers: every folder of ${side}/ is in the table of ARCHITECTURE.md`, async () => {
    const law = await readLaw(side);
    const missing = (await folders(side)).filter((name) => !law.has(name));
    assert.deepEqual(missing, []);
  });

  test(`layers: the two columns of ${side}/ say the same`, async () => {
    const law = await readLaw(side);
    const pairs = (of: (layer: Layer) => readonly string[]): string[][] =>
      [...law].flatMap(([name, layer]) => of(layer).map((other) => [name, other]));
    const down = pairs((layer) => layer.mayUse).map(([user, used]) => `${user} uses ${used}`);
    const up = pairs((layer) => layer.mayBeUsedBy).map(([used, user]) => `${user} uses ${used}`);
    assert.ok(down.length > 5);
    assert.deepEqual(down.sort(), up.sort());
  });

  test(`layers: nothing in ${side}/ uses what its folder may not`, async () => {
    const law = await readLaw(side);
    const broken = (await uses(side)).filter((use) => law.get(use.from)?.mayUse.includes(use.to) !== true);
    assert.deepEqual(broken.map((use) => `${use.file} uses ${use.to}`).sort(), []);
  });

  test(`layers: ${side}/ has no cycle`, async () => {
    const law = await readLaw(side);
    const open = new Map([...law].map(([name, layer]) => [name, new Set(layer.mayUse)]));
    for (let before = -1; before !== open.size; ) {
      before = open.size;
      for (const [name, rest] of [...open]) if (![...rest].some((used) => open.has(used))) open.delete(name);
    }
    assert.deepEqual([...open.keys()], []);
  });
}

test("layers: usesOf sees imports over several lines, types and includes", () => {
  const text = `import {\n  a,\n} from "../store/a.ts";\nconst b = await import("../cli/b.ts");\nimport type { C } from "./c.ts";`;
  assert.deepEqual(
    usesOf("src", "src/pod/x.ts", text).map((use) => use.to),
    ["store", "cli", "pod"],
  );
  const c = `#include "basic/io.h"\n#include "../plan/plan.h"\n#include <stdio.h>\n`;
  assert.deepEqual(
    usesOf("native", "native/stage1/x.c", c).map((use) => use.to),
    ["basic", "plan"],
  );
});
