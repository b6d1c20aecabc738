/**
 * Requests signed as S3 wants them: AWS Signature Version 4, in headers. Paths and queries are sent in the one encoding
 * that is signed, since not every server brings them into it before it compares.
 */
import { GantryError } from "../base/errors.ts";
import type { SigningKey } from "../inbox/protocol.ts";
import type { HttpRequest } from "./exchange.ts";
import { shownUrl } from "./failure.ts";

/** `request`, which has no body, as it is to be sent at `now`. Throws FetchFailed for a URL that can't be signed. */
export async function signed(
  request: HttpRequest,
  { accessKeyId, secretAccessKey, region }: SigningKey,
  now = new Date(),
): Promise<HttpRequest> {
  const { default: aws4 } = await import("aws4");
  const url = encodedOnce(request.url);
  const range = request.headers?.["range"];
  const wanted = {
    service: "s3",
    region: region ?? regionOf(url.hostname),
    method: request.method ?? "GET",
    path: `${url.pathname}${url.search}`,
    // Not what a proxy may change, such as Accept-Encoding.
    headers: { host: url.host, "x-amz-date": timestamp(now), ...(range === undefined ? {} : { range }) },
    extraHeadersToInclude: { range: true },
  };
  const { headers = {} } = aws4.sign(wanted, { accessKeyId, secretAccessKey });
  const added = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
  return { ...request, url, headers: { ...request.headers, ...Object.fromEntries(added) } };
}

const DEFAULT_REGION = "us-east-1";

/** The region that a name of Amazon's tells, in both of its forms: `s3.REGION.` and, older, `s3-REGION.` */
export function regionOf(host: string): string {
  const [, region] = /[.-]([a-z]{2}-(?:[a-z]+-){1,2}\d+)\.amazonaws\.com(?:\.cn)?$/i.exec(host) ?? [];
  return region ?? DEFAULT_REGION;
}

function timestamp(now: Date): string {
  return now.toISOString().replace(/[:-]|\.\d{3}/g, "");
}

function encodedOnce(url: URL): URL {
  const encoded = new URL(url);
  try {
    encoded.pathname = url.pathname
      .split("/")
      .map((part) => encoded3986(decodeURIComponent(part)))
      .join("/");
  } catch (cause) {
    throw new GantryError("FetchFailed", `${shownUrl(url)} can't be signed: its path is no encoded UTF-8`, {
      cause,
    });
  }
  encoded.search = [...url.searchParams].map((pair) => pair.map(encoded3986).join("=")).join("&");
  return encoded;
}

/** RFC 3986's unreserved characters stay, which are fewer than encodeURIComponent() leaves. */
function encoded3986(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
