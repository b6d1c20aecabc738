/** Which entry of an index fits this machine (OCI image index, `platform`). */
import { readFileSync } from "node:fs";
import type { Descriptor, Platform } from "./oci.ts";

/** A machine: what it runs, and its variants of that architecture, best first. */
export type HostPlatform = {
  readonly os: string;
  readonly architecture: string;
  readonly variants: readonly string[];
};

const GO_ARCHITECTURES: Readonly<Partial<Record<NodeJS.Architecture, string>>> = {
  x64: "amd64",
  ia32: "386",
};

const AMD64_LEVELS: readonly (readonly [variant: string, flags: readonly string[]])[] = [
  ["v2", ["cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"]],
  ["v3", ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"]],
  ["v4", ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]],
];

/** This machine. */
export function hostPlatform(): HostPlatform {
  const architecture = GO_ARCHITECTURES[process.arch] ?? process.arch;
  return { os: "linux", architecture, variants: hostVariants(architecture) };
}

function hostVariants(architecture: string): string[] {
  if (architecture === "amd64") return amd64Variants(cpuFlags());
  if (architecture === "arm64") return ["v8"];
  return architecture === "arm" ? ["v7", "v6"] : [];
}

/** The levels of the x86-64 psABI a CPU with these flags has, best first. */
export function amd64Variants(flags: ReadonlySet<string>): string[] {
  const variants = ["v1"];
  for (const [variant, needed] of AMD64_LEVELS) {
    if (!needed.every((flag) => flags.has(flag))) break;
    variants.unshift(variant);
  }
  return variants;
}

function cpuFlags(): ReadonlySet<string> {
  const line = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"));
  return new Set((line?.[1] ?? "").trim().split(" "));
}

/**
 * The descriptor that fits best: the best variant, then one that names no variant, then one that names no platform;
 * the first among equals. Undefined when none fits.
 */
export function choosePlatform(manifests: readonly Descriptor[], host: HostPlatform): Descriptor | undefined {
  let best: { readonly rank: number; readonly manifest: Descriptor } | undefined;
  for (const manifest of manifests) {
    const rank = rankOf(manifest.platform, host);
    if (rank !== undefined && (best === undefined || rank < best.rank)) best = { rank, manifest };
  }
  return best?.manifest;
}

function rankOf(platform: Platform | undefined, host: HostPlatform): number | undefined {
  if (platform === undefined) return host.variants.length + 1;
  if (platform.os !== host.os || platform.architecture !== host.architecture) return undefined;
  if ((platform["os.features"] ?? []).length > 0) return undefined;
  if (platform.variant === undefined || platform.variant === "") return host.variants.length;
  const rank = host.variants.indexOf(platform.variant);
  return rank < 0 ? undefined : rank;
}

/** A platform as people write it, `linux/arm/v7`. */
export function platformText({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join("/");
}
