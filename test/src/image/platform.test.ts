import assert from "node:assert/strict";
import { test } from "node:test";
import type { Descriptor, Platform } from "../../../src/image/oci.ts";
import { amd64Variants, choosePlatform, hostPlatform, platformText } from "../../../src/image/platform.ts";

function entry(digest: string, platform?: Platform): Descriptor {
  return {
    mediaType: "m",
    digest,
    size: 1,
    annotations: null,
    ...(platform === undefined ? {} : { platform }),
  };
}

const linux = (architecture: string, variant?: string): Platform => ({
  os: "linux",
  architecture,
  ...(variant === undefined ? {} : { variant }),
});

const V3 = { os: "linux", architecture: "amd64", variants: ["v3", "v2", "v1"] };

test("the best variant the CPU has wins over the order", () => {
  const manifests = [
    entry("plain", linux("amd64")),
    entry("v4", linux("amd64", "v4")),
    entry("v2", linux("amd64", "v2")),
    entry("v3", linux("amd64", "v3")),
  ];
  assert.equal(choosePlatform(manifests, V3)?.digest, "v3");
  assert.equal(choosePlatform(manifests, { ...V3, variants: ["v1"] })?.digest, "plain");
});

test("the first of equals wins, another system or architecture never does", () => {
  const manifests = [
    entry("windows", { os: "windows", architecture: "amd64" }),
    entry("arm", linux("arm64", "v8")),
    entry("first", linux("amd64")),
    entry("second", linux("amd64")),
  ];
  assert.equal(choosePlatform(manifests, V3)?.digest, "first");
  assert.equal(choosePlatform(manifests.slice(0, 2), V3), undefined);
});

test("arm v7 takes v6, an entry without a platform is the last resort, features are refused", () => {
  const arm = { os: "linux", architecture: "arm", variants: ["v7", "v6"] };
  assert.equal(
    choosePlatform([entry("v5", linux("arm", "v5")), entry("v6", linux("arm", "v6"))], arm)?.digest,
    "v6",
  );
  assert.equal(choosePlatform([entry("any"), entry("own", linux("amd64"))], V3)?.digest, "own");
  assert.equal(choosePlatform([entry("any")], V3)?.digest, "any");
  assert.equal(choosePlatform([entry("f", { ...linux("amd64"), "os.features": ["x"] })], V3), undefined);
});

test("x86-64 levels follow from the CPU's flags, and a gap ends them", () => {
  const v2 = ["cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"];
  const v4 = ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"];
  assert.deepEqual(amd64Variants(new Set()), ["v1"]);
  assert.deepEqual(amd64Variants(new Set(v2)), ["v2", "v1"]);
  assert.deepEqual(amd64Variants(new Set([...v2, ...v4])), ["v2", "v1"]);
});

test("this machine has a platform", () => {
  const { os, architecture } = hostPlatform();
  assert.equal(os, "linux");
  assert.match(architecture, /^(amd64|arm64|arm|386|ppc64|s390x|riscv64|loong64)$/);
  assert.equal(platformText(linux("arm", "v7")), "linux/arm/v7");
});
