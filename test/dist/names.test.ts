/** Names and sizes: what CONTRIBUTING.md says of folders, files and functions. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { files } from "./tree.ts";

const CODE = /\.(ts|cts|c|h|sh)$/;
const KITCHEN_DRAWERS = /(^|\/)(common|helpers?|lib|misc|shared|utils?)(\/|\.|$)/;

type Limits = { readonly file: number; readonly look: number; readonly functionLook: number };

/** `file` is refused; past `look` and `functionLook` a reviewer is told. */
const LIMITS: readonly (readonly [RegExp, Limits])[] = [
  [/\.c?ts$/, { file: 600, look: 300, functionLook: 60 }],
  [/\.[ch]$/, { file: 900, look: 600, functionLook: 100 }],
];

function limitsOf(path: string): Limits | undefined {
  return LIMITS.find(([pattern]) => pattern.test(path))?.[1];
}

async function code(): Promise<string[]> {
  return [
    ...(await files("src")),
    ...(await files("native")),
    ...(await files("test")),
    ...(await files("packaging")),
  ].filter((path) => CODE.test(path));
}

/** Functions at the top level of a formatted file: their name and their number of lines. */
export function functionsIn(text: string): { name: string; lines: number }[] {
  const lines = text.split("\n");
  return lines.flatMap((line, index) => {
    const name = /^(?!typedef|struct|union|enum)[A-Za-z][^;=]*?\b(\w+)(?:<[^>]*>)?\(/.exec(line)?.[1];
    const end = lines.findIndex((other, at) => at > index && /^[})\w#]/.test(other) && !/[{(]$/.test(other));
    if (name === undefined || lines[end]?.startsWith("}") !== true) return [];
    return [{ name, lines: end - index + 1 }];
  });
}

test("names: no folder or file is a kitchen drawer", async () => {
  const all = await code();
  assert.ok(all.length > 50);
  assert.deepEqual(
    all.filter((path) => KITCHEN_DRAWERS.test(path)),
    [],
  );
});

test("names: TypeScript files are kebab-case, and so are native ones", async () => {
  const odd = (await code()).filter((path) => !/^[a-z0-9/.-]+$/.test(path));
  assert.deepEqual(odd, []);
});

test("sizes: no file passes its limit; long files and functions are named", async (t) => {
  const tooLong: string[] = [];
  for (const path of await code()) {
    const limits = limitsOf(path);
    if (limits === undefined) continue;
    const text = await readFile(path, "utf8");
    const lines = text.split("\n").length - 1;
    if (lines > limits.file) tooLong.push(`${path}: ${lines} lines`);
    else if (lines > limits.look) t.diagnostic(`look at ${path}: ${lines} lines`);
    for (const { name, lines } of functionsIn(text)) {
      if (lines > limits.functionLook) t.diagnostic(`look at ${path}: ${name}() has ${lines} lines`);
    }
  }
  assert.deepEqual(tooLong, []);
});

test("sizes: functionsIn finds functions of both languages", () => {
  const ts = `export async function one(a: number): Promise<void> {\n  a;\n}\nconst x = f();\nfunction two({\n  a,\n}: A): void {\n  a;\n}\n`;
  assert.deepEqual(functionsIn(ts), [
    { name: "one", lines: 3 },
    { name: "two", lines: 5 },
  ]);
  const c = `static int one(void) {\n    return 0;\n}\n\nint two(int a,\n        int b) {\n    return a + b;\n}\nint three(void);\n`;
  assert.deepEqual(functionsIn(c), [
    { name: "one", lines: 3 },
    { name: "two", lines: 4 },
  ]);
});
