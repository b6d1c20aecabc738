/** Failures of exchanges: which sentence they are told in, and whether the same may work in a moment. */
import { errnoOf, GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";

/** Where the connection or the name service may be better in a moment. */
const PASSING: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "ENETUNREACH",
  "EHOSTUNREACH",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was cut",
  EPIPE: "the connection was cut",
  ERR_STREAM_PREMATURE_CLOSE: "the connection was cut",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "the name service does not answer",
  ETIMEDOUT: "the connection timed out",
  ENETUNREACH: "the network is unreachable",
  EHOSTUNREACH: "the host is unreachable",
  HPE_HEADER_OVERFLOW: "the header of its answer is too large",
  EPROTO: "it does not speak TLS there, or none that is accepted",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is signed by an authority that is not trusted here",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is signed by an authority that is not trusted here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is signed by an authority that is not trusted here",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
};

const CERTIFICATE = /CERT|VERIFY|ALTNAME/;

/** A URL as messages show it: without what may be secret in it, and without a query, which may be a signature. */
export function shownUrl(url: URL): string {
  return quoted(`${url.protocol}//${url.host}${url.pathname}`);
}

/** `cause` as a failure of the exchange with `url`; a GantryError stays what it is. */
export function exchangeFailure(url: URL, cause: unknown): GantryError {
  if (cause instanceof GantryError) return cause;
  const code = errnoOf(cause) ?? "";
  const words = WORDS[code] ?? (code.startsWith("HPE_") ? "its answer is not HTTP" : messageOf(cause));
  const hint = CERTIFICATE.test(code)
    ? { hint: "name its authority in a file of registries.d, or accept it: --insecure-options=tls" }
    : {};
  return new GantryError("FetchFailed", `${shownUrl(url)}: ${words}`, { cause, ...hint });
}

/** Whether another attempt may fare better: the connection broke, or something took too long. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof GantryError)) return false;
  return error.kind === "TimedOut" || PASSING.has(errnoOf(error.cause) ?? "");
}

/** Whether nobody answered there in the expected protocol, which plain http might. */
export function isUnanswered(error: unknown): boolean {
  if (!(error instanceof GantryError)) return false;
  const code = errnoOf(error.cause) ?? "";
  return ["ECONNREFUSED", "ECONNRESET", "EPROTO"].includes(code) || code.startsWith("ERR_SSL_");
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : "the exchange failed";
}
