/** gantry-audit against trees that gantry-unpack made, as they are and changed. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type RawEntry, rawTar } from "../../fixtures/ustar.ts";
import { EVERYTHING, packWell, treeOf } from "../pack/packing.ts";
import { temporary, type Unpacked, unpackWell } from "../unpack/unpacking.ts";

const BUILD = process.env["GANTRY_NATIVE"] ?? join(import.meta.dirname, "../../../build/native");
const AUDIT = join(BUILD, "audit/gantry-audit");

type Finding = {
  readonly what: string;
  readonly path: string;
  readonly expected: string;
  readonly found: string;
};
type AuditReport = {
  readonly ok: boolean;
  readonly kind?: string;
  readonly text?: string;
  readonly paths?: number;
  readonly bytes?: number;
  readonly disk?: number;
  readonly differences?: number;
  readonly findings?: readonly Finding[];
};

function audit(
  t: TestContext,
  { tree, into }: { tree: string; into: string },
  list = join(into, "digests"),
): AuditReport {
  const report = temporary(t);
  const { status, stderr } = spawnSync(AUDIT, [`--into=${report}`, `--list=${list}`, tree], {
    encoding: "utf8",
  });
  assert.ok(existsSync(join(report, "report")), stderr);
  const found = JSON.parse(readFileSync(join(report, "report"), "utf8")) as AuditReport;
  assert.equal(status, found.ok ? 0 : 1, stderr);
  return found;
}

/** What was found, as "what path". */
function differences(report: AuditReport): string[] {
  assert.equal(report.text, undefined);
  const found = (report.findings ?? []).map(({ what, path }) => `${what} ${path}`);
  assert.equal(report.differences, found.length);
  return found;
}

function change(tree: string, script: string): void {
  execFileSync("sh", ["-ec", `cd "$1"; ${script}`, "sh", tree]);
}

function everything(t: TestContext): Unpacked {
  const script = `${EVERYTHING}\n mkdir o; echo x >o/x; setfattr -n user.overlay.opaque -v y o; mknod a/gone c 0 0`;
  return unpackWell(t, packWell(t, "layer", [treeOf(t, script)]).data);
}

test("a tree with everything in it is what its list says, and the report tells its size", (t) => {
  const unpacked = everything(t);
  const report = audit(t, unpacked);
  assert.deepEqual(differences(report), []);
  assert.deepEqual([report.paths, report.bytes], [unpacked.report.paths, unpacked.report.bytes]);
  const used = execFileSync("du", ["-s", "--block-size=1", unpacked.tree], { encoding: "utf8" });
  assert.equal(report.disk, Number(used.split("\t")[0]));
});

/** A change of the tree (each keeps the directory's time), and what must be found. */
const CHANGES: readonly (readonly [string, readonly string[]])[] = [
  [
    "touch -r a/b/file r; printf contenT >a/b/file; printf '\\n' >>a/b/file; touch -r r a/b/file; rm r",
    ["content a/b/file"],
  ],
  ["touch -r a/b/file r; echo longer >>a/b/file; touch -r r a/b/file; rm r", ["content a/b/file"]],
  [
    "chmod 4711 bin/ping; setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 bin/ping",
    ["mode bin/ping"],
  ],
  ["chown 5:6 fifo", ["owner fifo"]],
  ["touch -h -d @5 link", ["time link"]],
  ["setfattr -n user.note -v hallo a/b/file", ["attributes a/b/file"]],
  ["setfattr -x security.capability bin/ping", ["attributes bin/ping"]],
  ["setfattr -n user.new -v x zz", ["attributes a/b/file"]],
  ["setfattr -x system.posix_acl_default shared", ["attributes shared"]],
  ["setfattr -x user.overlay.opaque o", ["opaque o"]],
  ["setfattr -n user.overlay.opaque -v y bin", ["opaque bin"]],
  ["rm bin/ping", ["missing bin/ping"]],
  ["echo x >bin/new", ["added bin/new"]],
  ["mkdir -p bin/d/e; touch bin/d/e/f", ["added bin/d"]],
  ["ln a/b/file bin/name", ["added bin/name"]],
  ["ln -sfn /etc/passwD link; touch -h -d '1969-07-20 20:17:40.25' link", ["target link"]],
  ["touch -r fifo r; rm fifo; touch -r r fifo; rm r", ["type fifo"]],
  ["touch -r null r; rm null; mknod null c 1 5; touch -r r null; rm r", ["device null"]],
  ["rm a/gone", ["missing a/gone"]],
  ["touch -r a/b/file r; cp -p a/b/file c; rm zz; mv c zz; touch -r r zz; rm r", ["link zz"]],
  ["rm -r shared; ln -s a shared", ["type shared"]],
  ["mv a/b/file bin/moved; ln -s ../hard a/b/file", ["type a/b/file", "added bin/moved"]],
];

for (const [script, expected] of CHANGES) {
  test(`found: ${expected.join(", ")} after ${script.slice(0, 60)}`, (t) => {
    const unpacked = everything(t);
    const keep = "find . -type d -printf '%T@ %p\\n' >../times";
    const restore =
      'while read -r time path; do if [ -d "$path" ] && [ ! -L "$path" ]; then touch -d @$time "$path"; fi; done <../times';
    change(unpacked.tree, `${keep}\n${script}\n${restore}`);
    const found = differences(audit(t, unpacked));
    assert.deepEqual(
      found.filter((line) => !line.startsWith("link ") || expected.includes(line)),
      expected,
    );
  });
}

test("a finding says what was expected and what is there", (t) => {
  const unpacked = unpackWell(t, rawTar([{ name: "f", body: "x", mode: 0o644, uid: 7 }]));
  change(unpacked.tree, "chmod 755 f; chown 8:9 f; touch -d '1970-01-01 00:00:00.5 UTC' f");
  const found = audit(t, unpacked).findings?.map(({ what, expected, found }) => [what, expected, found]);
  assert.deepEqual(found, [
    ["mode", "644", "755"],
    ["owner", "7:0", "8:9"],
    ["time", "0.000000000", "0.500000000"],
  ]);
});

test("names of any bytes are told percent-encoded", (t) => {
  const unpacked = unpackWell(t, rawTar([{ name: Buffer.from("a b\xff%", "latin1"), body: "x" }]));
  change(unpacked.tree, "rm -f -- *");
  const found = differences(audit(t, unpacked)).filter((line) => !line.startsWith("time"));
  assert.deepEqual(found, ["missing a%20b%FF%25"]);
});

test("every difference is counted, and a thousand are told", (t) => {
  const entries = Array.from({ length: 1200 }, (_, n): RawEntry => ({ name: `d/${n}`, body: "x" }));
  const unpacked = unpackWell(t, rawTar(entries));
  change(unpacked.tree, "rm -r d/1*");
  const { differences: count, findings } = audit(t, unpacked);
  // d/1, d/10 to 19, 100 to 199 and 1000 to 1199; the time of d itself differs, too.
  assert.equal(count, 1 + 10 + 100 + 200 + 1);
  assert.equal(findings?.length, 312);
  change(unpacked.tree, "rm -r d/*");
  const more = audit(t, unpacked);
  assert.deepEqual([more.differences, more.findings?.length], [1201, 1000]);
});

test("a list that is damaged or torn is told, and nothing is said of the tree", (t) => {
  const unpacked = everything(t);
  const damages: readonly (readonly [string, (path: string) => void, RegExp])[] = [
    ["torn", (path) => truncateSync(path, 100), /^line \d$/],
    [
      "without its end",
      (path) => writeFileSync(path, readFileSync(path, "latin1").replace(/t .*\n$/, ""), "latin1"),
      /^line \d+$/,
    ],
    ["longer", (path) => appendFileSync(path, "f 644 0 0 0 0 - x\n"), /^line \d+$/],
    ["no list", (path) => writeFileSync(path, "x\n"), /^line 1$/],
    ["empty", (path) => writeFileSync(path, ""), /^line 1$/],
    ["with a NUL", (path) => writeFileSync(path, "\0"), /^line 0$/],
  ];
  for (const [name, damage, place] of damages) {
    const list = join(temporary(t), "list");
    copyFileSync(join(unpacked.into, "digests"), list);
    damage(list);
    const report = audit(t, unpacked, list);
    assert.deepEqual(differences(report), ["list ."], name);
    assert.match(report.findings?.[0]?.found ?? "", place, name);
  }
});

/** A linear congruential generator: the same archives each time. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomEntry(next: (below: number) => number, at: number): RawEntry {
  const word = () => "abc"[next(3)] ?? "";
  const path = Array.from({ length: 1 + next(3) }, word);
  const name = path.join("/");
  const pax = next(4) === 0 ? { "SCHILY.xattr.user.n": String(at) } : undefined;
  const more = pax === undefined ? {} : { pax };
  switch (next(9)) {
    case 0:
    case 1:
      return { name: `${name}/`, type: "5", mode: 0o700 + next(64), mtime: at, ...more };
    case 2:
      return { name, type: "2", linkname: "x" };
    case 3:
      return { name, type: "6", mtime: at };
    case 4:
      return { name, type: "3", device: [1, at] };
    case 5:
      return { name: [...path.slice(0, -1), `.wh.${path.at(-1)}`].join("/") };
    case 6:
      return { name: `${name}/.wh..wh..opq` };
    default:
      return { name, body: "y".repeat(next(50)), uid: next(9), mtime: at, ...more };
  }
}

/** Hard links only to what is a file at that moment, else the archive is refused. */
function randomTar(seed: number): Buffer {
  const next = random(seed);
  const entries = Array.from({ length: 5 + next(30) }, (_, at) => randomEntry(next, at));
  const linked: RawEntry[] = entries.flatMap((entry, at): RawEntry[] => {
    const file = (entry.type ?? "0") === "0" && !String(entry.name).includes(".wh.");
    const link: RawEntry = { name: `l/${next(4)}`, type: "1", linkname: String(entry.name) };
    return file && at % 3 === 0 ? [entry, link] : [entry];
  });
  return rawTar(linked);
}

test("whatever entries replace, hide and link, the tree is what the list says", (t) => {
  for (let seed = 1; seed <= 60; seed++) {
    const unpacked = unpackWell(t, randomTar(seed));
    const report = audit(t, unpacked);
    assert.deepEqual(report.findings, [], `seed ${seed}\n${unpacked.list.join("\n")}`);
    assert.deepEqual(
      [report.paths, report.bytes],
      [unpacked.report.paths, unpacked.report.bytes],
      `seed ${seed}`,
    );
  }
});

test("a wrong command line is a usage error, and what cannot be opened a failure", (t) => {
  const into = temporary(t);
  assert.equal(spawnSync(AUDIT, [`--into=${into}`, "."]).status, 2);
  assert.deepEqual(readdirSync(into), []);
  const report = audit(t, { tree: "/nowhere", into }, "/dev/null");
  assert.deepEqual([report.ok, report.kind], [false, "Internal"]);
  assert.match(report.text ?? "", /cannot open the tree: No such file/);
});
