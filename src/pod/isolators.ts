/**
 * appc's isolators as what systemd and stage1 enforce. Whatever is not enforced as written is told in the report:
 * the specification demands that the user learns which isolators were enforced, modified or ignored.
 */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Seccomp } from "../stage1/plan.ts";
import { DEFAULT_CAPABILITIES, isCapability } from "./capabilities.ts";
import type { Isolator } from "./manifest.ts";
import { type SeccompChoice, seccompOf } from "./seccomp.ts";
import { parseQuantity } from "./words.ts";

export type IsolatorReport = {
  readonly scope: "pod" | "app";
  readonly app?: string;
  readonly name: string;
  readonly verdict: "enforced" | "modified" | "ignored";
  /** The value that is in effect, in systemd's or the kernel's terms. */
  readonly value?: string;
  readonly reason?: string;
};

/** Limits as unit properties: bytes, processes, microseconds of CPU per second, weights of 1 to 10000. */
export type Limits = {
  memoryMax?: number;
  memoryLow?: number;
  cpuQuota?: number;
  cpuWeight?: number;
  tasksMax?: number;
};

export type Isolation = {
  readonly limits: Limits;
  readonly capabilities: readonly string[];
  readonly seccomp: "default" | "none" | Seccomp;
  readonly noNewPrivileges?: boolean;
  readonly oomScoreAdj?: number;
  readonly report: readonly IsolatorReport[];
};

export type Scope = { readonly scope: "pod" } | { readonly scope: "app"; readonly app: string };

/** What is gathered while the isolators are read one after the other. */
type Draft = {
  readonly where: Scope;
  readonly limits: Limits;
  readonly report: IsolatorReport[];
  capabilities?: { readonly kind: "retain" | "remove"; readonly set: readonly string[] };
  seccomp?: SeccompChoice;
  noNewPrivileges?: boolean;
  oomScoreAdj?: number;
};

type Rule = { readonly scopes: readonly string[]; apply(draft: Draft, isolator: Isolator): void };

const BOTH = ["pod", "app"];

const RULES: Readonly<Record<string, Rule>> = {
  "resource/memory": { scopes: BOTH, apply: applyMemory },
  "resource/cpu": { scopes: BOTH, apply: applyCpu },
  "resource/pids": { scopes: BOTH, apply: applyPids },
  "os/linux/cpu-shares": { scopes: ["app"], apply: applyCpuShares },
  "os/linux/oom-score-adj": { scopes: ["app"], apply: applyOomScoreAdj },
  "os/linux/no-new-privileges": { scopes: ["app"], apply: applyNoNewPrivileges },
  "os/linux/capabilities-retain-set": { scopes: ["app"], apply: applyCapabilities },
  "os/linux/capabilities-remove-set": { scopes: ["app"], apply: applyCapabilities },
  "os/linux/seccomp-retain-set": { scopes: ["app"], apply: applySeccomp },
  "os/linux/seccomp-remove-set": { scopes: ["app"], apply: applySeccomp },
  "os/linux/apparmor-profile": { scopes: BOTH, apply: refuseProfile },
};

/** The isolators that mean something to this version. */
export const ISOLATOR_NAMES: readonly string[] = Object.keys(RULES);

/** Reads a list of isolators. Throws BadManifest for a value, a pair or a repetition that cannot be meant. */
export function readIsolators(where: Scope, isolators: readonly Isolator[]): Isolation {
  const draft: Draft = { where, limits: {}, report: [] };
  refuseRepetition(where, isolators);
  for (const isolator of isolators) applyIsolator(draft, isolator);
  return {
    limits: draft.limits,
    capabilities: effectiveCapabilities(draft),
    seccomp: draft.seccomp ?? "default",
    ...(draft.noNewPrivileges === undefined ? {} : { noNewPrivileges: draft.noNewPrivileges }),
    ...(draft.oomScoreAdj === undefined ? {} : { oomScoreAdj: draft.oomScoreAdj }),
    report: draft.report,
  };
}

function refuseRepetition(where: Scope, isolators: readonly Isolator[]): void {
  const seen = new Set<string>();
  for (const { name } of isolators) {
    if (seen.has(name)) throw bad(where, `isolators set contains too many instances of type ${name}`);
    seen.add(name);
  }
}

function applyIsolator(draft: Draft, isolator: Isolator): void {
  const rule = Object.hasOwn(RULES, isolator.name) ? RULES[isolator.name] : undefined;
  if (rule?.scopes.includes(draft.where.scope)) rule.apply(draft, isolator);
  else note(draft, isolator, { verdict: "ignored", reason: ignoredBecause(draft.where, rule) });
}

function ignoredBecause(where: Scope, rule: Rule | undefined): string {
  return rule === undefined ? "this version does not enforce it" : `it does not apply to ${describe(where)}`;
}

function applyMemory(draft: Draft, isolator: Isolator): void {
  const { limit, request } = quantities(draft, isolator);
  if (limit !== undefined) {
    const bytes = limit / 1000n;
    if (bytes < 4096n) {
      const hint = "try a reasonable value, such as 16M; m means a thousandth";
      throw bad(draft.where, `a memory limit of ${bytes} bytes is too low`, hint);
    }
    draft.limits.memoryMax = safe(draft, isolator, bytes);
  }
  if (request !== undefined) draft.limits.memoryLow = safe(draft, isolator, request / 1000n);
  note(draft, isolator, { verdict: "enforced", value: `MemoryMax=${draft.limits.memoryMax ?? "infinity"}` });
}

function applyCpu(draft: Draft, isolator: Isolator): void {
  const { limit, request } = quantities(draft, isolator);
  if (limit !== undefined) {
    if (limit < 1n) throw bad(draft.where, "a CPU limit of 0 leaves nothing to run on");
    draft.limits.cpuQuota = safe(draft, isolator, limit * 1000n);
  }
  if (request !== undefined) draft.limits.cpuWeight = weight(Number(request) / 10);
  const value =
    limit === undefined ? `CPUWeight=${draft.limits.cpuWeight}` : `CPUQuota=${Number(limit) / 10}%`;
  note(draft, isolator, { verdict: "enforced", value });
}

function applyPids(draft: Draft, isolator: Isolator): void {
  const { limit } = quantities(draft, isolator);
  if (limit === undefined || limit < 1000n || limit % 1000n !== 0n) {
    throw bad(draft.where, `${isolator.name} wants a limit of 1 or more processes`);
  }
  draft.limits.tasksMax = safe(draft, isolator, limit / 1000n);
  note(draft, isolator, { verdict: "enforced", value: `TasksMax=${draft.limits.tasksMax}` });
}

/** 1024 shares, the default, are weight 100, the default. */
function applyCpuShares(draft: Draft, isolator: Isolator): void {
  const shares = integer(draft, isolator, { min: 2, max: 262_144 });
  draft.limits.cpuWeight = weight((shares * 100) / 1024);
  note(draft, isolator, { verdict: "enforced", value: `CPUWeight=${draft.limits.cpuWeight}` });
}

function weight(value: number): number {
  return Math.min(10_000, Math.max(1, Math.round(value)));
}

function applyOomScoreAdj(draft: Draft, isolator: Isolator): void {
  draft.oomScoreAdj = integer(draft, isolator, { min: -1000, max: 1000 });
  note(draft, isolator, { verdict: "enforced", value: String(draft.oomScoreAdj) });
}

function applyNoNewPrivileges(draft: Draft, isolator: Isolator): void {
  if (typeof isolator.value !== "boolean") throw bad(draft.where, `${isolator.name} wants true or false`);
  draft.noNewPrivileges = isolator.value;
  note(draft, isolator, { verdict: "enforced", value: String(isolator.value) });
}

function applyCapabilities(draft: Draft, isolator: Isolator): void {
  const kind = isolator.name.endsWith("retain-set") ? "retain" : "remove";
  if (draft.capabilities !== undefined) {
    const text =
      "isolators set contains incompatible types: capabilities-retain-set and capabilities-remove-set";
    throw bad(draft.where, text);
  }
  const set = stringSet(draft, isolator);
  const unknown = set.find((name) => !isCapability(name));
  if (unknown !== undefined) throw bad(draft.where, `${quoted(unknown)} is not a capability`);
  draft.capabilities = { kind, set };
  note(draft, isolator, { verdict: "enforced", value: effectiveCapabilities(draft).join(" ") });
}

function effectiveCapabilities(draft: Draft): readonly string[] {
  const { capabilities } = draft;
  if (capabilities === undefined) return DEFAULT_CAPABILITIES;
  if (capabilities.kind === "retain") return [...new Set(capabilities.set)];
  return DEFAULT_CAPABILITIES.filter((name) => !capabilities.set.includes(name));
}

function applySeccomp(draft: Draft, isolator: Isolator): void {
  if (draft.seccomp !== undefined) {
    const text = "isolators set contains incompatible types: seccomp-retain-set and seccomp-remove-set";
    throw bad(draft.where, text);
  }
  const { errno } = record(draft, isolator) as { errno?: unknown };
  if (errno !== undefined && typeof errno !== "string")
    throw bad(draft.where, `${isolator.name}: errno is no name`);
  const kind = isolator.name.endsWith("retain-set") ? "retain" : "remove";
  draft.seccomp = seccompOf({ kind, set: stringSet(draft, isolator), errno: errno ?? "" });
  note(draft, isolator, { verdict: "enforced", value: kind });
}

/** A profile that is not applied must refuse the start (appc section 8). */
function refuseProfile(draft: Draft, isolator: Isolator): void {
  throw new GantryError("Unsupported", `${describe(draft.where)}: ${isolator.name} cannot be enforced yet`);
}

function quantities(
  draft: Draft,
  isolator: Isolator,
): { limit: bigint | undefined; request: bigint | undefined } {
  const value = record(draft, isolator);
  const limit = quantity(draft, isolator, value["limit"]);
  const request = quantity(draft, isolator, value["request"]);
  if (limit === undefined && request === undefined) {
    throw bad(draft.where, `${isolator.name} has neither a limit nor a request`);
  }
  return { limit, request };
}

function quantity(draft: Draft, isolator: Isolator, value: unknown): bigint | undefined {
  if (value === undefined || value === null) return undefined;
  const text = typeof value === "number" ? String(value) : value;
  const parsed = typeof text === "string" ? parseQuantity(text) : undefined;
  if (parsed !== undefined) return parsed;
  throw bad(
    draft.where,
    `${isolator.name}: ${quoted(String(value))} is not a quantity such as 500m, 128Mi or 2`,
  );
}

function safe(draft: Draft, isolator: Isolator, value: bigint): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw bad(draft.where, `${isolator.name}: ${value} is more than any machine has`);
}

function integer(draft: Draft, isolator: Isolator, range: { min: number; max: number }): number {
  const value = typeof isolator.value === "string" ? Number(isolator.value) : isolator.value;
  if (typeof value === "number" && Number.isInteger(value) && value >= range.min && value <= range.max)
    return value;
  throw bad(draft.where, `${isolator.name} wants an integer from ${range.min} to ${range.max}`);
}

function stringSet(draft: Draft, isolator: Isolator): readonly string[] {
  const { set } = record(draft, isolator) as { set?: unknown };
  if (Array.isArray(set) && set.length > 0 && set.every((item) => typeof item === "string")) return set;
  throw bad(draft.where, `${isolator.name}: set must be non-empty`);
}

function record(draft: Draft, isolator: Isolator): Record<string, unknown> {
  const { value } = isolator;
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw bad(draft.where, `the value of ${isolator.name} is not an object`);
}

function note(draft: Draft, isolator: Isolator, told: Omit<IsolatorReport, "scope" | "app" | "name">): void {
  draft.report.push({ ...draft.where, name: isolator.name, ...told });
}

function describe(where: Scope): string {
  return where.scope === "pod" ? "the pod" : `app ${quoted(where.app)}`;
}

function bad(where: Scope, text: string, hint?: string): GantryError {
  return new GantryError("BadManifest", `${describe(where)}: ${text}`, hint === undefined ? {} : { hint });
}
