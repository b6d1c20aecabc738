/** The trust generation: the golden ones, which native/trust's tests read too, and a tree that changes. */
import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as z from "zod";
import { type Facts, generationOf, readGeneration } from "../../../src/trust/generation.ts";

const GOLDEN = new URL("../../golden/generations/", import.meta.url);

const Numbers = { ino: z.string(), size: z.string(), mtime: z.string(), ctime: z.string() };
const Golden = z.strictObject({
  entries: z.array(
    z.strictObject({ path: z.string(), ...Numbers, target: z.strictObject(Numbers).nullish() }),
  ),
  generation: z.string(),
});

function factsOf(numbers: Record<keyof typeof Numbers, string>): Facts {
  const { ino, size, mtime, ctime } = numbers;
  return { ino: BigInt(ino), size: BigInt(size), mtimeNs: BigInt(mtime), ctimeNs: BigInt(ctime) };
}

const names = readdirSync(GOLDEN);
assert.ok(names.length >= 4);
for (const name of names) {
  test(`generation: ${name}`, () => {
    const { entries, generation } = Golden.parse(JSON.parse(readFileSync(new URL(name, GOLDEN), "utf8")));
    const made = entries.map(({ path, target, ...numbers }) => ({
      ...{ path: Buffer.from(path), ...factsOf(numbers) },
      ...(target === undefined ? {} : { target: target === null ? null : factsOf(target) }),
    }));
    assert.equal(generationOf(made), generation);
  });
}

test("generation: every change of the configuration is seen, and nothing else", () => {
  const root = mkdtempSync(join(tmpdir(), "gantry-generation-"));
  try {
    const at = (path: string) => join(root, path);
    const put = (path: string, text: string) => {
      mkdirSync(join(at(path), ".."), { recursive: true });
      writeFileSync(at(path), text);
    };
    const steps: readonly (() => void)[] = [
      () => put("etc/gantry/trust.d/10.json", "{}"),
      () => put("etc/gantry/trust.d/10.json", "[]"),
      () => put("usr/lib/gantry/trustedkeys/root.d/aa", "key"),
      () => put("run/gantry/trustedkeys/prefix.d/example.com/bb", "key"),
      () => symlinkSync("/dev/null", at("etc/gantry/trust.d/20.json")),
      () => rmSync(at("run/gantry/trustedkeys/prefix.d/example.com/bb")),
    ];
    const seen = [readGeneration(root)];
    for (const step of steps) {
      step();
      seen.push(readGeneration(root));
    }
    assert.equal(new Set(seen).size, steps.length + 1, String(seen));
    put("etc/gantry/pods/web.json", "{}");
    put("usr/lib/gantry/trusted", "");
    assert.equal(readGeneration(root), seen.at(-1));
  } finally {
    rmSync(root, { recursive: true });
  }
});
