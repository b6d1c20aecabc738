/** Names and numbers that a user writes, checked. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";

/** ACName of the appc specification. */
export const AC_NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
/** With the longest escapes and suffixes around it, a unit's name stays below systemd's limit of 255. */
export const MAX_NAME = 63;

export function isName(name: string): boolean {
  return name.length <= MAX_NAME && AC_NAME.test(name);
}

/** Returns `name` when it can name a pod or an app; throws Usage naming `what` otherwise. */
export function checkName(what: "pod" | "app" | "volume", name: string): string {
  if (isName(name)) return name;
  throw new GantryError("Usage", `${quoted(name)} is not a name for ${article(what)}`, {
    hint: `a name has up to ${MAX_NAME} lower-case letters and digits, with single dashes inside`,
  });
}

function article(what: string): string {
  return what === "app" ? `an ${what}` : `a ${what}`;
}

/** An ACName made of the last component of an image's name: `registry.example/a/My_App:1` gives `my-app`. */
export function nameOfImage(image: string): string {
  const last = image.replace(/@.*$/s, "").split("/").pop() ?? "";
  const name = last
    .replace(/[:,].*$/s, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, MAX_NAME);
  return name.replace(/-+$/, "") || "app";
}

const SUFFIXES: Readonly<Record<string, bigint>> = {
  "": 1000n,
  m: 1n,
  K: 1000n * 1000n,
  k: 1000n * 1000n,
  M: 1000n * 1000n ** 2n,
  G: 1000n * 1000n ** 3n,
  T: 1000n * 1000n ** 4n,
  P: 1000n * 1000n ** 5n,
  E: 1000n * 1000n ** 6n,
  Ki: 1000n * 1024n,
  Mi: 1000n * 1024n ** 2n,
  Gi: 1000n * 1024n ** 3n,
  Ti: 1000n * 1024n ** 4n,
  Pi: 1000n * 1024n ** 5n,
  Ei: 1000n * 1024n ** 6n,
};

/**
 * A resource quantity (appc section 8) in thousandths: `500m` is 500, `1` is 1000, `128Mi` is 134217728000.
 * Computed in integers; what is finer than a thousandth is rounded up. Undefined when it is no quantity.
 */
export function parseQuantity(text: string): bigint | undefined {
  const match = /^(\d{1,18})(?:\.(\d{1,9}))?([A-Za-z]{0,2})$/.exec(text);
  const unit = SUFFIXES[match?.[3] ?? "none"];
  if (match === null || unit === undefined) return undefined;
  const fraction = match[2] ?? "";
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(`${match[1]}${fraction}`) * unit;
  return (scaled + scale - 1n) / scale;
}

/** A signal by name or number, with or without SIG, RTMIN+N and RTMAX-N included; undefined when there is none. */
export function parseSignal(text: string, signals: Readonly<Record<string, number>>): number | undefined {
  if (/^\d{1,2}$/.test(text)) return inRange(Number(text));
  const name = text.toUpperCase().replace(/^SIG/, "");
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realtime === null) return signals[`SIG${name}`];
  // glibc keeps 32 and 33 for itself: SIGRTMIN is 34.
  const base = realtime[1] === "MIN" ? 34 : 64;
  const offset = Number(realtime[3] ?? 0) * (realtime[2] === "-" ? -1 : 1);
  const signal = base + offset;
  return signal >= 34 ? inRange(signal) : undefined;
}

function inRange(signal: number): number | undefined {
  return signal >= 1 && signal <= 64 ? signal : undefined;
}
