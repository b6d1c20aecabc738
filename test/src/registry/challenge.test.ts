/** WWW-Authenticate, well-formed and not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseChallenges } from "../../../src/registry/challenge.ts";

function parsed(header: string): unknown[] {
  return parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

for (const [header, expected] of [
  ["", []],
  ['Basic realm="x"', [["basic", { realm: "x" }]]],
  [
    'Bearer realm="https://a/token",service="s.io",scope="repository:a/b:pull,push"',
    [["bearer", { realm: "https://a/token", service: "s.io", scope: "repository:a/b:pull,push" }]],
  ],
  [
    'Negotiate, bEARER Realm = "a \\"b\\" , c=d" , error=invalid_token, Basic realm=plain',
    [
      ["negotiate", {}],
      ["bearer", { realm: 'a "b" , c=d', error: "invalid_token" }],
      ["basic", { realm: "plain" }],
    ],
  ],
  ['realm="nobody\'s"', []],
  ['Bearer realm="unfinished', [["bearer", {}]]],
  [
    'Bearer __proto__="x",constructor="y"',
    [
      [
        "bearer",
        Object.fromEntries([
          ["__proto__", "x"],
          ["constructor", "y"],
        ]),
      ],
    ],
  ],
  ["Bearer ;;;", [["bearer", {}]]],
] as const) {
  test(`challenge: ${header || "none"}`, () => assert.deepEqual(parsed(header), expected));
}

test("challenge: long nonsense takes no long time", () => {
  for (const piece of ['a="', "a=", "\\", ' ,"', "Bearer ", 'x="\\"']) parseChallenges(piece.repeat(16_000));
});
