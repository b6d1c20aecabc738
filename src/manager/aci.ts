/** What is decided about an ACI between unpacking and keeping it: is it the one asked for, may it run, what lies below it. */
import { GantryError } from "../base/errors.ts";
import { readBounded, unlessMissing } from "../base/file.ts";
import { quoted } from "../base/text.ts";
import { APPC_ARCHITECTURES, manifestLabels, manifestName } from "../image/aci.ts";
import { type AppName, appNameText } from "../image/app-name.ts";
import { digestOf } from "../image/hashing.ts";
import type { HostPlatform } from "../image/platform.ts";
import type { ImageRecord, Remote, Verdict } from "../image/record.ts";
import { SIGNATURE_LIMIT, type Signature } from "../image/signature.ts";
import type { Transport } from "../image/verdict.ts";
import type { Acceptance, UnpackedAci } from "../store/aci.ts";
import type { Store } from "../store/store.ts";
import type { Tools } from "../store/tool.ts";
import type { Unpacker } from "../store/unpacker.ts";
import type { Judge, Judged } from "../trust/subject.ts";
import type { InsecureOption } from "../trust/verdict.ts";
import { type Asked, dependenciesOf } from "./dependencies.ts";
import type { PullPolicy } from "./pull-policy.ts";
import type { Transfer } from "./transfer.ts";

/** One fetch: an ACI and all it depends on, which share what they find. */
export type AciFetch = {
  readonly store: Store;
  readonly unpacker: Unpacker;
  readonly tools: Tools;
  readonly host: HostPlatform;
  readonly judge: Judge;
  /** By which verdict an image of the store may run now. Throws NotTrusted, BadConfig. */
  readonly standing: (record: ImageRecord, source: string) => Promise<Verdict>;
  readonly transfer: Transfer;
  readonly policy: PullPolicy;
  readonly insecureOptions: readonly InsecureOption[];
  readonly uid: number;
  readonly signal?: AbortSignal | undefined;
  /** What was found in this fetch, by question. */
  readonly found: Map<string, ImageRecord>;
};

/** An ACI as it came. */
export type ArrivedAci = {
  readonly aci: UnpackedAci;
  readonly transport: Transport;
  readonly path: string;
  /** The argument that means this image again. */
  readonly source: string;
  readonly signatures: readonly Buffer[];
  readonly remote?: Remote;
  /** The name and labels by which it was asked for. */
  readonly asked?: AppName;
  /** The questions that led here, the first one first. */
  readonly chain: readonly Asked[];
};

/** Throws NotTrusted, BadImage for another image than was asked for, and what finding its dependencies throws. */
export async function acceptAci(fetch: AciFetch, arrived: ArrivedAci): Promise<Acceptance> {
  // The signature comes first (signatures of appc): what an unsigned manifest says is not even compared.
  const { verdict, evidence } = await judgeAci(fetch, arrived);
  if (arrived.asked !== undefined) checkName(arrived.aci, arrived.asked, fetch.host);
  const dependencies = await dependenciesOf(fetch, arrived);
  const { remote } = arrived;
  return { verdict, evidence, dependencies, ...(remote === undefined ? {} : { remote }) };
}

async function judgeAci(fetch: AciFetch, arrived: ArrivedAci): Promise<Judged> {
  const { aci, transport, path, source, asked } = arrived;
  const blobs = new Map(arrived.signatures.map((bytes) => [digestOf(bytes), bytes]));
  const signatures = [...blobs.keys()].map((signature): Signature => ({ kind: "openpgp", signature }));
  return await fetch.judge({
    subject: {
      transport,
      name: asked?.name ?? aci.manifest.name,
      reference: asked === undefined ? manifestName(aci.manifest) : appNameText(asked),
      digest: aci.digest,
      ...(transport === "appc" && asked === undefined ? { claimed: true } : {}),
      archive: { path, digest: aci.served.digest },
    },
    signatures,
    blob: async (digest) => blobs.get(digest) ?? Buffer.alloc(0),
    source,
    insecureOptions: fetch.insecureOptions,
    uid: fetch.uid,
    signal: fetch.signal,
  });
}

/** The manifest must be of the name and the labels asked for; labels nobody asked for may have any value. */
export function checkName(
  { what, manifest }: Pick<UnpackedAci, "what" | "manifest">,
  asked: AppName,
  host: HostPlatform,
): void {
  const refuse = (text: string) => new GantryError("BadImage", `${what}: ${text}`);
  if (manifest.name !== asked.name) {
    throw refuse(
      `error when reading the app name: ${quoted(asked.name)} expected but ${quoted(manifest.name)} got found`,
    );
  }
  const labels = manifestLabels(manifest);
  for (const [name, value] of Object.entries(asked.labels)) {
    const found = labels[name];
    if (found === undefined)
      throw refuse(`requested label ${quoted(name)} not provided by the image manifest`);
    if (found !== value) throw differs(what, name, { value, found });
  }
  // What was only filled in for discovery may be missing, as an image can be for every machine, but not be another.
  for (const [name, value] of Object.entries(hostLabels(host))) {
    const found = labels[name];
    if (asked.labels[name] === undefined && found !== undefined && found !== value)
      throw differs(what, name, { value, found });
  }
}

function differs(
  what: string,
  name: string,
  { value, found }: { readonly value: string; readonly found: string },
) {
  const text = `requested value for label ${quoted(name)}: ${quoted(value)} differs from fetched aci label value: ${quoted(found)}`;
  return new GantryError("BadImage", `${what}: ${text}`);
}

/** The labels that mean this machine, in appc's words. */
export function hostLabels({ os, architecture, variants }: HostPlatform): Record<string, string> {
  const names = Object.entries(APPC_ARCHITECTURES);
  const [arch = architecture] =
    names.find(
      ([, one]) =>
        one.architecture === architecture && (one.variant === undefined || one.variant === variants[0]),
    ) ?? [];
  return { os, arch };
}

/** The signature beside a local ACI, `X.aci.asc` of `X.aci`. Throws BadImage for one that is too long. */
export async function signaturesBeside(path: string): Promise<Buffer[]> {
  if (!path.endsWith(".aci")) return [];
  const signature = await unlessMissing(readBounded(`${path}.asc`, SIGNATURE_LIMIT));
  return signature === undefined ? [] : [signature];
}
