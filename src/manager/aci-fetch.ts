/** Where fetching ACIs begins: with what a caller asked for. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { hostPlatform } from "../image/platform.ts";
import type { ImageRecord } from "../image/record.ts";
import type { ImageReference } from "../image/reference.ts";
import type { Acceptance, UnpackedAci } from "../store/aci.ts";
import type { Operation } from "../store/operation.ts";
import type { Unpacker } from "../store/unpacker.ts";
import type { Judge } from "../trust/subject.ts";
import { judgeUnsigned } from "../trust/verdict.ts";
import { type AciFetch, acceptAci, signaturesBeside } from "./aci.ts";
import { fetchApp, fetchUrl } from "./appc.ts";
import type { FetchRequest, ImageManager } from "./images.ts";
import type { PullPolicy } from "./pull-policy.ts";
import type { Transfer } from "./transfer.ts";

export function aciFetch(
  manager: ImageManager,
  { insecureOptions, uid, signal }: FetchRequest,
  parts: { readonly operation: Operation; readonly unpacker: Unpacker; readonly policy: PullPolicy },
): AciFetch {
  const transfer = manager.transfer?.(parts.operation) ?? noTransfer;
  return { ...parts, transfer, judge, insecureOptions, uid, signal, host: hostPlatform(), found: new Map() };
}

const noTransfer: Transfer = async ({ place }) => {
  const what = place.kind === "url" ? place.url : place.app.name;
  throw new GantryError("Unsupported", `${quoted(what)} can't be downloaded here`);
};

const judge: Judge = async (request) => ({ verdict: judgeUnsigned(request), evidence: new Map() });

/** Fetches what a name or a URL means. Throws BadReference for a URL that is no ACI's, and as fetchApp(). */
export async function fetchRemote(
  fetch: AciFetch,
  reference: ImageReference,
  source: string,
): Promise<ImageRecord> {
  if (reference.kind === "name" && reference.app !== undefined)
    return await fetchApp(fetch, { app: reference.app });
  if (reference.kind !== "url")
    throw new GantryError("BadReference", `${quoted(source)} names nothing to download`);
  const { pathname } = new URL(reference.url);
  if (pathname.endsWith(".aci")) return await fetchUrl(fetch, reference.url);
  throw new GantryError("BadReference", `${quoted(source)} does not end in .aci`, {
    hint: "images in registries are named docker://REGISTRY/NAME",
  });
}

/** Decides about an ACI from a file. Throws as acceptAci(). */
export async function acceptFile(
  fetch: AciFetch,
  { aci, path, source }: { readonly aci: UnpackedAci; readonly path: string; readonly source: string },
): Promise<Acceptance> {
  const { name, labels } = aci.manifest;
  const pairs = (labels ?? []).map((label) => [label.name, label.value] as const);
  const chain = [{ app: { name, labels: Object.fromEntries(pairs) } }];
  const signatures = await signaturesBeside(path);
  return await acceptAci(fetch, { aci, transport: "file", path, source, signatures, chain });
}
