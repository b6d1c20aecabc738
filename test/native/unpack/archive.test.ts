/** The archive as bytes: compressions, digests, sizes, parts, damage, limits (docs/unpacker.md, options). */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { type Compression, compress } from "../../fixtures/tar.ts";
import { rawEntry, rawTar } from "../../fixtures/ustar.ts";
import { assertRefused, survey, temporary, UNPACK, unpack, unpackRaw, unpackWell } from "./unpacking.ts";

const TAR = rawTar([
  { name: "hello", body: "world" },
  { name: "noise", body: randomBytes(700_000) },
]);
const COMPRESSIONS: readonly Compression[] = ["none", "gzip", "zstd", "xz", "bzip2"];

function hex(algorithm: "sha256" | "sha512", bytes: Buffer | string): string {
  return createHash(algorithm).update(bytes).digest("hex");
}

for (const compression of COMPRESSIONS) {
  test(`${compression}: digests and sizes of both forms are reported and checked`, (t) => {
    const archive = compress(TAR, compression);
    const options = [
      `--expect-size=${archive.length}`,
      `--expect-digest=sha512:${hex("sha512", archive)}`,
      `--expect-diff=sha256:${hex("sha256", TAR)}`,
    ];
    for (const pipe of [false, true]) {
      const { report, tree } = unpackWell(t, archive, { options, pipe });
      assert.deepEqual(report.compressed, { size: archive.length, sha256: hex("sha256", archive) });
      assert.deepEqual(report.diff, { size: TAR.length, sha256: hex("sha256", TAR) });
      assert.equal(readFileSync(join(tree, "hello"), "utf8"), "world");
      assert.deepEqual([report.entries, report.bytes, report.skipped], [2, 700_005, 0]);
    }
  });

  test(`${compression}: a truncated archive is refused`, (t) => {
    const archive = compress(TAR, compression);
    for (const length of [archive.length - 1025, Math.floor(archive.length / 2), 700]) {
      assertRefused(
        unpack(t, archive.subarray(0, length)),
        "BadImage",
        /truncated|damaged|Truncated|decompressed|unexpected end/i,
      );
    }
  });
}

for (const compression of COMPRESSIONS.filter((one) => one !== "none")) {
  test(`${compression}: a flipped bit is refused, without a digest by the format's checksum`, (t) => {
    const archive = compress(TAR, compression);
    const damaged = Buffer.from(archive);
    const middle = Math.floor(archive.length / 2);
    damaged[middle] = (damaged[middle] ?? 0) ^ 0x10;
    assertRefused(unpack(t, damaged), "BadImage", /archive/);
    const options = [`--expect-digest=sha256:${hex("sha256", archive)}`];
    assertRefused(unpack(t, damaged, { options }), "DigestMismatch", new RegExp(hex("sha256", damaged)));
  });

  test(`${compression}: two streams in a row are one`, (t) => {
    const half = Math.floor(TAR.length / 2);
    const archive = Buffer.concat([
      compress(TAR.subarray(0, half), compression),
      compress(TAR.subarray(half), compression),
    ]);
    assert.equal(unpackWell(t, archive).report.diff?.sha256, hex("sha256", TAR));
  });

  test(`${compression}: only one layer of compression is taken off`, (t) => {
    const twice = compress(compress(TAR, compression), compression);
    assertRefused(unpack(t, twice), "BadImage", /no tar archive, or compressed in an unknown way/);
  });

  test(`${compression}: decompress writes the bytes`, (t) => {
    const { into, report } = unpackWell(t, compress(TAR, compression), { verb: "decompress" });
    assert.deepEqual(readdirSync(into).toSorted(), ["data", "report"]);
    assert.ok(readFileSync(join(into, "data")).equals(TAR));
    assert.equal(report.entries, undefined);
    assert.equal(report.diff?.sha256, hex("sha256", TAR));
  });
}

test("a gzip checksum is verified even when the tar is fine", (t) => {
  const archive = gzipSync(TAR);
  archive[archive.length - 8] = (archive[archive.length - 8] ?? 0) ^ 1;
  assertRefused(unpack(t, archive), "BadImage", /the archive's gzip stream is damaged: incorrect data check/);
});

test("zeros after a gzip stream are padding, anything else is refused", (t) => {
  const archive = gzipSync(TAR);
  const padded = Buffer.concat([archive, Buffer.alloc(600_000)]);
  assert.equal(unpackWell(t, padded).report.compressed?.size, padded.length);
  const garbage = Buffer.concat([archive, Buffer.from("garbage")]);
  assertRefused(unpack(t, garbage), "BadImage", /garbage after its gzip stream/);
});

test("zstd skippable frames are skipped, in front and between", (t) => {
  const skippable = Buffer.concat([Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 5, 0, 0, 0]), Buffer.from("hello")]);
  const half = Math.floor(TAR.length / 2);
  const parts = [
    skippable,
    compress(TAR.subarray(0, half), "zstd"),
    skippable,
    compress(TAR.subarray(half), "zstd"),
    skippable,
  ];
  assert.equal(unpackWell(t, Buffer.concat(parts)).report.diff?.sha256, hex("sha256", TAR));
});

test("bytes after the end marker are hashed and nothing else", (t) => {
  const archive = Buffer.concat([TAR, Buffer.from("garbage".repeat(100_000))]);
  const { report, tree } = unpackWell(t, gzipSync(archive), {
    options: [`--expect-diff=sha256:${hex("sha256", archive)}`],
  });
  assert.equal(report.diff?.size, archive.length);
  assert.deepEqual(Object.keys(survey(tree)), ["hello", "noise"]);
});

test("an archive without an end marker is whole", (t) => {
  const { tree } = unpackWell(t, rawEntry({ name: "a", body: "x" }));
  assert.deepEqual(survey(tree), { a: "f 644 x" });
});

test("what is no tar is refused", (t) => {
  const garbage = [
    Buffer.alloc(0),
    Buffer.from("hello"),
    randomBytes(10_000),
    Buffer.from("PK\x03\x04 a zip"),
  ];
  for (const archive of garbage)
    assertRefused(unpack(t, archive), "BadImage", /the archive is no tar archive/);
});

test("a damaged header is refused by the number of entries before it", (t) => {
  const archive = rawTar([{ name: "a" }, { name: "b" }, { name: "c", checksumError: 1 }]);
  assertRefused(unpack(t, archive), "BadImage", /the archive is damaged after 2 entries: /);
});

test("wrong digests leave nothing but the report", (t) => {
  const zeros = "0".repeat(64);
  const wrong = unpack(t, gzipSync(TAR), { options: [`--expect-digest=sha256:${zeros}`] });
  assertRefused(
    wrong,
    "DigestMismatch",
    new RegExp(`the digest of the archive is sha256:[0-9a-f]{64}, expected was sha256:${zeros}`),
  );
  const diff = unpack(t, gzipSync(TAR), { options: [`--expect-diff=sha512:${zeros}${zeros}`] });
  assertRefused(
    diff,
    "DigestMismatch",
    new RegExp(`uncompressed archive is sha512:${hex("sha512", TAR)}, expected was`),
  );
});

test("a wrong size is refused, in a file before its first byte is read", (t) => {
  for (const pipe of [false, true]) {
    for (const expected of [TAR.length - 1, TAR.length + 1]) {
      const refused = unpack(t, TAR, { options: [`--expect-size=${expected}`], pipe });
      assertRefused(refused, "DigestMismatch", new RegExp(`the archive has .*${expected} .*expected`));
    }
  }
});

test("a part of a file is an archive", (t) => {
  const archive = gzipSync(TAR);
  const file = Buffer.concat([Buffer.alloc(1000, 7), archive, Buffer.alloc(1000, 7)]);
  const options = ["--offset=1000", `--length=${archive.length}`, `--expect-size=${archive.length}`];
  assert.equal(unpackWell(t, file, { options }).report.compressed?.sha256, hex("sha256", archive));
  const outside = unpack(t, file, { options: ["--offset=1500", `--length=${file.length}`] });
  assertRefused(outside, "BadImage", new RegExp(`part ends outside of its file of ${file.length} bytes`));
});

test("no more than --max-bytes come out, of the tar or of the files in it", (t) => {
  const bomb = gzipSync(rawTar([{ name: "zeros", body: Buffer.alloc(20_000_000) }]));
  const small = unpack(t, bomb, { options: ["--max-bytes=1000000"] });
  assertRefused(small, "BadImage", /(expands to|files have) more than 1000000 bytes/);
  const data = unpack(t, bomb, { verb: "decompress", options: ["--max-bytes=1000000"] });
  assertRefused(data, "BadImage", /the archive expands to more than 1000000 bytes/);
  const sparse = rawTar([
    {
      name: "GNUSparseFile.0/huge",
      body: `1\n0\n1\n${"\0".repeat(506)}x`,
      pax: {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "huge",
        "GNU.sparse.realsize": `${2 ** 50}`,
      },
    },
  ]);
  assertRefused(unpack(t, sparse), "BadImage", /files have more than 68719476736 bytes \(at "huge"\)/);
});

test("no more than --max-entries come out, implied directories included", (t) => {
  const three = [{ name: "a" }, { name: "b" }, { name: "c" }];
  assert.equal(unpackWell(t, three, { options: ["--max-entries=3"] }).report.entries, 3);
  const options = ["--max-entries=2"];
  assertRefused(unpackRaw(t, three, { options }), "BadImage", /more than 2 entries/);
  assertRefused(
    unpackRaw(t, [{ name: "1/2/3/4" }], { options }),
    "BadImage",
    /too many entries \(at "1\/2\/3"\)/,
  );
});

// A sanitizer makes each of them ten times as slow.
const MANY = process.env["GANTRY_NATIVE"] === undefined ? 100_000 : 5000;
test(`${MANY} small files`, { timeout: 120_000 }, (t) => {
  const entries = Array.from({ length: MANY }, (_, i) => ({ name: `d${i % 100}/${i}`, body: `${i}` }));
  const { report, list } = unpackWell(t, gzipSync(rawTar(entries), { level: 1 }));
  assert.equal(report.entries, MANY);
  assert.equal(list.length, MANY + 101);
});

test("a bomb against a small disk is StoreFull and leaves nothing but the report", (t) => {
  const into = temporary(t);
  const bomb = join(temporary(t), "bomb");
  const entries = Array.from({ length: 50 }, (_, i) => ({ name: `d/${i}`, body: Buffer.alloc(1_000_000) }));
  writeFileSync(bomb, gzipSync(rawTar(entries)));
  const script = `
    mount -t tmpfs -o size=8m none "$1"
    ! "$2" layer --into="$1" <"$3" 2>/dev/null || exit 9
    cat "$1/report"; ls -A "$1"; df --output=used -k "$1" | tail -1`;
  const output = execFileSync("unshare", ["--mount", "sh", "-ec", script, "sh", into, UNPACK, bomb], {
    encoding: "utf8",
  });
  const [report = "", name, used] = output.split("\n");
  assert.match(
    report,
    /"ok":false,"kind":"StoreFull","text":"cannot write \\"d\/\d+\\": No space left on device"/,
  );
  assert.equal(name, "report");
  assert.ok(Number(used) <= 8, used);
});

test("on a disk that others filled there is no report, and nothing else", (t) => {
  const archive = join(temporary(t), "archive");
  writeFileSync(archive, TAR);
  const script = `
    mount -t tmpfs -o size=64k none "$1"; mkdir "$1/into"
    dd if=/dev/zero of="$1/others" bs=4096 2>/dev/null || true
    status=0; "$2" layer --into="$1/into" <"$3" 2>&1 || status=$?
    echo "$status"; ls -A "$1/into"`;
  const output = execFileSync(
    "unshare",
    ["--mount", "sh", "-ec", script, "sh", temporary(t), UNPACK, archive],
    {
      encoding: "utf8",
    },
  );
  assert.deepEqual(output.split("\n"), [
    "gantry-unpack: cannot write the report: No space left on device",
    'gantry-unpack: cannot write "hello": No space left on device',
    "1",
    "",
  ]);
});

test("usage errors have exit status 2 and one line", (t) => {
  const into = `--into=${temporary(t)}`;
  const cases: [string[], RegExp][] = [
    [[into], /exactly one verb/],
    [["layer", "aci", into], /exactly one verb/],
    [["paint", into], /exactly one verb/],
    [["layer"], /--into is missing/],
    [["layer", into, "--colour=red"], /unknown or incomplete option --colour=red/],
    [["layer", into, "--offset=-1"], /bad value for --offset/],
    [["layer", into, "--max-bytes=99999999999999999999"], /bad value for --max-bytes/],
    [["layer", into, "--expect-digest=md5:0"], /bad value for --expect-digest/],
    [["layer", into, `--expect-diff=sha256:${"A".repeat(64)}`], /bad value for --expect-diff/],
  ];
  for (const [args, text] of cases) {
    const { status, stderr } = spawnSync(UNPACK, args, { encoding: "utf8", input: "" });
    assert.equal(status, 2);
    assert.match(stderr, text);
    assert.equal(stderr.split("\n").length, 2);
  }
});
