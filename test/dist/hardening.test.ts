/** What is built for a host is hardened, whichever library it is linked with. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { output } from "../../packaging/command.ts";
import { programs } from "../../packaging/elf.ts";

const TREE = "build/root/usr";

test("every program is at any address, its tables are read-only before it runs, and its stack holds no code", async () => {
  const paths = (await programs(TREE)).filter((path) => !path.endsWith(".node"));
  assert.ok(paths.length >= 10, paths.join("\n"));
  for (const path of paths) {
    const facts = await output([
      "readelf",
      "--wide",
      "--file-header",
      "--program-headers",
      "--dynamic",
      path,
    ]);
    assert.match(facts, /Type: +DYN /, `${path}: no PIE`);
    assert.match(facts, /^ +GNU_RELRO /m, `${path}: no RELRO`);
    assert.match(facts, /\(FLAGS_1\) .*NOW/, `${path}: symbols bound late`);
    assert.match(facts, /\(FLAGS_1\) .*PIE/, `${path}: no PIE`);
    assert.match(facts, /^ +GNU_STACK .* RW +0x/m, `${path}: an executable stack`);
    assert.doesNotMatch(facts, /\(TEXTREL\)/, `${path}: code is written to`);
    assert.doesNotMatch(facts, /^ +LOAD .* RWE /m, `${path}: memory that is writable and executable`);
  }
});
