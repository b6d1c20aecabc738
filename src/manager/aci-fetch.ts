/** Where fetching ACIs begins: with what a caller asked for. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { isDiscoverable } from "../image/app-name.ts";
import { hostPlatform } from "../image/platform.ts";
import type { ImageRecord } from "../image/record.ts";
import type { ImageReference } from "../image/reference.ts";
import type { Acceptance, UnpackedAci } from "../store/aci.ts";
import { readStoredBlob } from "../store/blobs.ts";
import type { Store } from "../store/store.ts";
import { rejudge, type Trust } from "../trust/judge.ts";
import { insecureVerdict } from "../trust/verdict.ts";
import { type AciFetch, acceptAci, signaturesBeside } from "./aci.ts";
import { fetcherTransfer } from "./aci-transfer.ts";
import { fetchApp, fetchUrl } from "./appc.ts";
import { type Asked, storedApp } from "./dependencies.ts";
import type { FetchRequest, ImageManager } from "./images.ts";
import { hostTrust, tellingJudge } from "./judge.ts";
import type { PullPolicy } from "./pull-policy.ts";
import type { Workers } from "./workers.ts";

export function aciFetch(
  manager: ImageManager,
  request: FetchRequest,
  {
    store,
    workers,
    policy,
  }: { readonly store: Store; readonly workers: Workers; readonly policy: PullPolicy },
): AciFetch {
  const { insecureOptions, uid, signal } = request;
  const { unpacker, tools } = workers;
  const transfer = manager.transfer ?? fetcherTransfer(manager, request, workers);
  const trust = manager.trust ?? hostTrust({ paths: manager.paths, systemd: workers.systemd });
  const judge = manager.judge ?? tellingJudge(trust);
  const standing = standingBy(trust, store, { insecureOptions, uid, signal });
  const asked = { insecureOptions, uid, signal, host: hostPlatform(), found: new Map() };
  return { store, unpacker, tools, policy, transfer, judge, standing, ...asked };
}

/** The operator's word for this command covers what is in the store, too; what it covered before, nobody said now. */
function standingBy(
  trust: Trust,
  store: Store,
  options: Pick<AciFetch, "insecureOptions" | "uid" | "signal">,
): AciFetch["standing"] {
  return async (record, source) => {
    if (options.insecureOptions.includes("image")) return insecureVerdict(options.uid);
    const blob = (digest: string) => readStoredBlob(store, digest);
    return await rejudge(trust, { record, blob, source, ...options });
  };
}

/** What a name or a URL means, from the store where the policy is content with that. Throws BadReference for a URL that is no ACI's, and as fetchApp(). */
export async function fetchRemote(
  fetch: AciFetch,
  reference: ImageReference,
  source: string,
): Promise<ImageRecord> {
  if (reference.kind === "name" && reference.app !== undefined) {
    const asked = { app: reference.app };
    return (await storedApp(fetch, asked)) ?? (await discover(fetch, asked, source));
  }
  if (reference.kind !== "url")
    throw new GantryError("BadReference", `${quoted(source)} names nothing to download`);
  const { pathname } = new URL(reference.url);
  if (pathname.endsWith(".aci")) return await fetchUrl(fetch, reference.url);
  throw new GantryError("BadReference", `${quoted(source)} does not end in .aci`, {
    hint: "images in registries are named docker://REGISTRY/NAME",
  });
}

async function discover(fetch: AciFetch, asked: Asked, source: string): Promise<ImageRecord> {
  if (!isDiscoverable(asked.app)) {
    const message = `${quoted(source)} is neither in the store nor the name of a server's image`;
    throw new GantryError("NoSuchImage", message, registryHint(source));
  }
  try {
    return await fetchApp(fetch, asked);
  } catch (error) {
    if (!(error instanceof GantryError) || error.kind !== "FetchFailed" || error.hint !== undefined)
      throw error;
    throw new GantryError(error.kind, error.message, { ...registryHint(source), cause: error });
  }
}

/** Sources that other tools know, and that no registry has under that name. */
const FOREIGN = /^[a-z][a-z0-9+.-]*:\/\/|^(?:containers-storage|dir|docker-daemon|ostree|sif):/;

function registryHint(source: string): { readonly hint?: string } {
  return FOREIGN.test(source) ? {} : { hint: `images in registries are named docker://${source}` };
}

/** Decides about an ACI from a file. Throws as acceptAci(). */
export async function acceptFile(
  fetch: AciFetch,
  {
    aci,
    path,
    source,
    signature,
  }: {
    readonly aci: UnpackedAci;
    readonly path: string;
    readonly source: string;
    /** Where it is not beside the file. */
    readonly signature?: Buffer | undefined;
  },
): Promise<Acceptance> {
  const { name, labels } = aci.manifest;
  const pairs = (labels ?? []).map((label) => [label.name, label.value] as const);
  const chain = [{ app: { name, labels: Object.fromEntries(pairs) } }];
  const signatures = signature === undefined ? await signaturesBeside(path) : [signature];
  return await acceptAci(fetch, { aci, transport: "file", path, source, signatures, chain });
}
