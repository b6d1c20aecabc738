import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRepository, repositoryText } from "../../../src/image/repository.ts";
import { refusal } from "../../fixtures/refusal.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

const CANONICAL: readonly (readonly [text: string, canonical: string])[] = [
  ["debian", "docker.io/library/debian:latest"],
  ["user/app:1", "docker.io/user/app:1"],
  ["localhost/app", "localhost/app:latest"],
  ["localhost:5000/a/b:x", "localhost:5000/a/b:x"],
  ["[::1]:5000/app:1", "[::1]:5000/app:1"],
  ["r.example/app:1", "r.example/app:1"],
  [`r.example/app@${DIGEST}`, `r.example/app@${DIGEST}`],
  [`r.example/app:1@${DIGEST}`, `r.example/app:1@${DIGEST}`],
  ["a__b/c--d", "docker.io/a__b/c--d:latest"],
];

for (const [text, canonical] of CANONICAL) {
  test(`${text} is ${canonical}`, () => assert.equal(repositoryText(parseRepository(text)), canonical));
}

for (const text of [
  "",
  "UPPER",
  "a___b",
  "a/",
  "/a",
  "a//b",
  "a:",
  "a:b c",
  `a:${"t".repeat(129)}`,
  "r.example/a@sha256:12",
  "r.example/a@md5:00",
  "-bad.example/a",
  "r.example:port/a",
  `r.example/${"a".repeat(250)}`,
  "../etc/passwd",
]) {
  test(`${JSON.stringify(text.slice(0, 40))} is refused`, () => {
    assert.throws(() => parseRepository(text), refusal("BadReference", 2, text.slice(0, 40)));
  });
}
