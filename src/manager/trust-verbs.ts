/**
 * The interface to what this host trusts: keys, rules and consents, and why an image may run. In process it is trust.ts,
 * for callers other than root remote-trust.ts. Methods throw GantryError with the kinds named.
 */
import type { Verdict } from "../image/record.ts";
import type { PlacedConsent, PlacedRule } from "../trust/policy.ts";
import type { Rule } from "../trust/rule.ts";
import type { KeyDescription } from "../trust/verifier.ts";

export type { Rule } from "../trust/rule.ts";

/** The names that a key is trusted for. */
export type KeyScope =
  | { readonly prefix: string }
  | { readonly root: true }
  /** Those of the rules that name the key so. */
  | { readonly named: string };

/** A key of a text, as it is shown for review; times are microseconds since the epoch. */
export type ReviewedKey = Omit<KeyDescription, "text">;

/** A key of the keystore. A file that cannot be read as one has a `problem` and no description. */
export type TrustedKey = Partial<ReviewedKey> & {
  readonly path: string;
  /** The file's name: the fingerprint, unless only rules name the key. */
  readonly name: string;
  /** `*` for every name; absent for a key that only rules name. */
  readonly prefix?: string;
  /** An empty file: keys of this name in the directories behind it do not count. */
  readonly masked: boolean;
};

export type TrustList = {
  readonly keys: readonly TrustedKey[];
  readonly rules: readonly PlacedRule[];
  readonly consents: readonly PlacedConsent[];
};

export type AddedKey = {
  readonly fingerprint: string;
  readonly userIds: readonly string[];
  /** `*` for every name; absent for a key that only rules name. */
  readonly prefix?: string;
  readonly path: string;
};

/** What a change refuses from the next start on. What runs already runs on. */
export type Affected = {
  readonly images: readonly { readonly id: string; readonly name: string; readonly reason: string }[];
  readonly pods: readonly {
    readonly uuid: string;
    readonly name?: string;
    readonly state: string;
    readonly image: string;
    readonly reason: string;
  }[];
};

/** What else the name may have been meant to be. */
type Noted = { readonly note?: string };

export type AddedKeys = Noted & { readonly keys: readonly AddedKey[]; readonly affected: Affected };
export type Removed = { readonly removed: readonly string[]; readonly affected: Affected };
export type Ruled = Noted & { readonly path: string; readonly affected: Affected };

/** Keys that are somewhere on the network: by the pages of the prefix, or at URLs. */
export type KeyPlace = {
  readonly prefix: string;
  readonly urls?: readonly string[];
  /** Whether http will do. */
  readonly insecureHttp: boolean;
};

export type FetchedKeys = {
  readonly keys: readonly { readonly url: string; readonly text: string }[];
  /** What the fetcher says about it, such as which keys cannot be had. */
  readonly notes: readonly string[];
};

export type KeyText = {
  readonly text: string;
  readonly scope: KeyScope;
  /** Only these keys of the text, which somebody has looked at; none other is added. */
  readonly fingerprints: readonly string[];
  /** The URL it comes from, for the journal. */
  readonly source?: string;
};

export type NewConsent = {
  readonly name: string;
  readonly digest: string;
  /** Who says so, when that is not who the manager was opened for. */
  readonly uid?: number;
};

/** Other tools of this host whose trust can be taken over. */
export const TRUST_ORIGINS = ["rkt", "containers"] as const;
export type TrustOrigin = (typeof TRUST_ORIGINS)[number];

export type ImportedTrust = {
  /** Files that were written. */
  readonly paths: readonly string[];
  /** What could not be taken over as it was meant. */
  readonly notes: readonly string[];
};

export type TrustVerbs = AsyncDisposable & {
  /** BadConfig. */
  list(): Promise<TrustList>;
  /** NoSuchImage, AmbiguousName, BadConfig. */
  explain(image: string): Promise<Explanation>;
  /** Has a fetcher bring keys; nothing is trusted by that. FetchFailed, TimedOut. */
  fetchKeys(place: KeyPlace): Promise<FetchedKeys>;
  /** What keys a text holds, for review. BadConfig for a text without one. */
  review(text: string): Promise<readonly ReviewedKey[]>;
  /** BadConfig, Usage, StoreFull. */
  addKeys(keys: KeyText): Promise<AddedKeys>;
  /** The rule for its scope and transport, in place of the one that was added before. Usage, BadConfig. */
  addRule(rule: Rule): Promise<Ruled>;
  addConsent(consent: NewConsent): Promise<Ruled>;
  /** A key by the beginning of its fingerprint, or the rules and consents of a scope. NoSuchKey, AmbiguousName, BadConfig. */
  remove(what: string, options: { readonly scope?: KeyScope }): Promise<Removed>;
  /** Copies what another tool trusts. For root's own command only: AccessDenied. BadConfig, StoreFull. */
  importFrom(origin: TrustOrigin): Promise<ImportedTrust>;
};

/** How an image stands, and every step on the way there. */
export type Explanation = {
  /** The argument. */
  readonly image: string;
  readonly id: string;
  readonly digest: string;
  readonly names: readonly string[];
  /** What it was imported by; absent for one that was taken without a check. */
  readonly subject?: { readonly transport: string; readonly reference: string; readonly name: string };
  readonly recorded: Verdict;
  readonly rules: readonly ExplainedRule[];
  readonly keys: readonly ExplainedKey[];
  readonly signatures: readonly ExplainedSignature[];
  readonly now: { readonly trusted: boolean; readonly kind?: Verdict["kind"]; readonly reason: string };
  readonly pods: readonly string[];
  /** Images it contains, with the same question asked of each. */
  readonly dependencies: readonly {
    readonly id: string;
    readonly trusted: boolean;
    readonly reason: string;
  }[];
};

export type ExplainedRule = {
  readonly file: string;
  readonly scope: string;
  readonly transport?: string;
  readonly requirements: readonly string[];
  /** Why it is not about this image, or `decides`. */
  readonly standing: "decides" | "covers, but another is more specific" | "other transport" | "other names";
};

export type ExplainedKey = {
  readonly path: string;
  readonly prefix?: string;
  readonly fingerprint: string;
  readonly userIds: readonly string[];
  /** `good`, or why its signatures do not count. */
  readonly state: string;
};

export type ExplainedSignature = {
  readonly kind: string;
  /** Of the blob that holds it. */
  readonly digest: string;
  /** The digest it was made for: the manifest's, or that of an index that led to it. */
  readonly about?: string;
  /** Keys that made it, of those that are trusted for the name. */
  readonly signers: readonly { readonly fingerprint: string; readonly userIds: readonly string[] }[];
  readonly problems: readonly string[];
};
