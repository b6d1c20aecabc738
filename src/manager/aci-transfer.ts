/** ACIs by way of a fetcher: what it is asked, and what is believed of its answer. */
import { join } from "node:path";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { webServers } from "../config/web-servers.ts";
import { type ImageFiles, readExtent } from "../image/archive.ts";
import { parseDigest } from "../image/digest.ts";
import { openContestedDirectory } from "../image/layout.ts";
import type { Remote } from "../image/record.ts";
import { SIGNATURES_LIMIT, type Signature, signatureBlob } from "../image/signature.ts";
import { type AppcRequest, ARCHIVE, type Archived, type ArchiveRequest } from "../inbox/protocol.ts";
import { type Errand, openFetcher } from "../transport/fetcher.ts";
import type { FetchRequest, ImageManager } from "./images.ts";
import type { Place, Transfer, TransferRequest, Transferred } from "./transfer.ts";
import type { Workers } from "./workers.ts";

/** Starts a fetcher for each ACI. */
export function fetcherTransfer(
  { paths, environment = process.env }: ImageManager,
  { insecureOptions, progress }: FetchRequest,
  workers: Workers,
): Transfer {
  return async (operation, request) => {
    const { signal, place } = request;
    progress?.({ event: "phase", phase: "resolving" });
    await using fetcher = await openFetcher({
      ...{ systemd: await workers.systemd(), program: join(paths.libexec, "gantry-fetcher") },
      ...{ operation, signal, progress, received: progressTeller(progress, placeText(place)) },
    });
    const settings = await webServers({ insecureOptions, environment });
    const told = await fetcher.archive({ ...errandOf(request), ...settings });
    // Before anything it wrote is looked at: then nobody changes it any more.
    await fetcher.finish();
    return await transferred(fetcher.directory, told, request);
  };
}

/** How progress and errors name what is fetched. */
function placeText(place: Place): string {
  return place.kind === "url" ? place.url : place.app.name;
}

function progressTeller(progress: FetchRequest["progress"], layer: string) {
  let begun = false;
  return (bytes: number, size: number | undefined) => {
    if (!begun) progress?.({ event: "layers", layers: [{ layer, size: size ?? 0 }] });
    begun = true;
    progress?.({ event: "progress", layer, bytes });
    if (bytes === size) progress?.({ event: "layer", layer, state: "done" });
  };
}

type Web = "servers" | "others";

/** The request without what is decided elsewhere. */
export function errandOf({
  place,
  known,
  size,
  signature,
}: TransferRequest): Omit<Errand<ArchiveRequest>, Web> | Omit<Errand<AppcRequest>, Web> {
  const common = {
    known: known.map((remote) => ({
      url: remote.url,
      fresh: isFresh(remote),
      ...(remote.etag === undefined ? {} : { etag: remote.etag }),
    })),
    signature,
    ...(size === undefined ? {} : { size }),
  };
  if (place.kind === "url") return { ...common, kind: "archive", url: place.url };
  return { ...common, kind: "appc", name: place.app.name, labels: { ...place.app.labels } };
}

function isFresh({ maxAge, checked }: Remote): boolean {
  const age = Date.now() * 1000 - checked;
  // A clock that was set back has said nothing about the server.
  return age >= 0 && age < maxAge * 1_000_000;
}

/** The answer, held against what lies in the fetcher's directory. Throws FetchFailed, BadImage. */
export async function transferred(
  directory: string,
  told: Archived,
  { known, place }: TransferRequest,
): Promise<Transferred> {
  const { url, etag, maxAge, archive } = told;
  const before = known.find((remote) => remote.url === url);
  if (archive === undefined) {
    if (before === undefined)
      throw new GantryError("FetchFailed", `the fetcher takes ${quoted(url)} for known`);
    // Nobody was asked, or what a 304 leaves out stays what it was (RFC 9111, 4.3.4).
    if (isFresh(before)) return { kind: "unchanged", remote: before };
    return {
      kind: "unchanged",
      remote: remoteOf({ url, etag: etag ?? before.etag, maxAge: maxAge ?? before.maxAge }),
    };
  }
  const files = openContestedDirectory(directory, placeText(place));
  const extent = await files.extent(ARCHIVE);
  if (
    extent === undefined ||
    extent.length !== archive.size ||
    archive.signatures.length > SIGNATURES_LIMIT
  ) {
    throw new GantryError("FetchFailed", `the fetcher has not written ${quoted(url)} as it says`);
  }
  const signatures = await Promise.all(
    archive.signatures.map((signature) => readSignature(files, signature)),
  );
  return { kind: "archive", remote: remoteOf({ url, etag, maxAge: maxAge ?? 0 }), extent, signatures };
}

function remoteOf({ url, etag, maxAge }: Pick<Remote, "url" | "etag" | "maxAge">): Remote {
  return { url, maxAge, checked: Date.now() * 1000, ...(etag === undefined ? {} : { etag }) };
}

async function readSignature(files: ImageFiles, signature: Signature): Promise<Buffer> {
  const { digest, limit } = signatureBlob(signature);
  const { algorithm, hex } = parseDigest(digest);
  const extent = await files.extent(`blobs/${algorithm}/${hex}`);
  if (extent !== undefined) return await readExtent(extent, limit, `signature ${digest}`);
  throw new GantryError("FetchFailed", `the fetcher has not written signature ${digest}`);
}
