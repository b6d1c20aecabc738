/** Bearer tokens from the realm that a registry names (distribution specification, token authentication). */
import * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import { checked, parseJson } from "../image/oci.ts";
import type { Access, Credentials } from "../inbox/protocol.ts";
import type { Client } from "../transfer/client.ts";
import { type Document, type DocumentRequest, fetchDocument } from "../transfer/document.ts";
import { shownUrl } from "../transfer/failure.ts";
import type { Challenge } from "./challenge.ts";
import { complaintOf } from "./complaint.ts";

const LIMIT = 256 * 1024;

/** Seconds that a token is good for when nothing is said, and how much earlier it is given up. */
const LIFETIME = 60;
const MARGIN = 5;

const Answer = z.object({
  token: z.string().nullish(),
  access_token: z.string().nullish(),
  expires_in: z.number().nullish(),
});

export type Token = {
  readonly header: string;
  /** `performance.now()` from which on it is not worth trying. */
  readonly until: number;
};

export type TokenRequest = {
  /** Names the server that wants the token, in messages. */
  readonly host: string;
  readonly challenge: Challenge;
  readonly access: Access;
  /** Asked for when the server names no scope. */
  readonly scope: string;
};

/** Gets a token, with the credentials of `access` if it has any. Throws AccessDenied, FetchFailed, TimedOut. */
export async function fetchToken(client: Client, request: TokenRequest): Promise<Token> {
  const realm = checkedRealm(request);
  const document = await fetchDocument(client, tokenRequest(realm, request));
  if (document.status !== 200) throw refused(realm, document, request);
  const what = `the token of ${shownUrl(realm)}`;
  const answer = checked(Answer, parseJson(document.bytes, what), what);
  const token = answer.token || answer.access_token || "";
  // It becomes a header: nothing of it may end that.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new GantryError("FetchFailed", `${what} can't be a token`);
  }
  const seconds = Math.max(answer.expires_in ?? LIFETIME, 2 * MARGIN) - MARGIN;
  return { header: `Bearer ${token}`, until: performance.now() + seconds * 1000 };
}

/** The realm may be any host's; it may not be less private than the registry. */
function checkedRealm({ host, challenge, access }: TokenRequest): URL {
  const text = challenge.parameters.get("realm") ?? "";
  const realm = URL.canParse(text) ? new URL(text) : undefined;
  if (realm === undefined || !/^https?:$/.test(realm.protocol)) {
    throw new GantryError("FetchFailed", `${quoted(host)} names no place for tokens but ${quoted(text)}`);
  }
  if (realm.protocol === "http:" && access.plainHttp !== true) {
    const message = `${quoted(host)} wants a token from ${shownUrl(realm)}, which is not encrypted`;
    throw new GantryError("FetchFailed", message, { hint: "to allow that: --insecure-options=http" });
  }
  realm.username = "";
  realm.password = "";
  return realm;
}

function tokenRequest(realm: URL, { challenge, access, scope }: TokenRequest): DocumentRequest {
  const service = challenge.parameters.get("service");
  const scopes = (challenge.parameters.get("scope") ?? scope).split(" ").filter((word) => word !== "");
  const { credentials } = access;
  if (credentials?.kind === "identity-token") {
    return refreshRequest(realm, { access, token: credentials.token, service, scope: scopes.join(" ") });
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  for (const word of scopes) url.searchParams.append("scope", word);
  if (credentials?.kind === "basic") url.searchParams.set("account", credentials.user);
  const authorization = basicHeader(credentials);
  return { url, access, limit: LIMIT, headers: authorization === undefined ? {} : { authorization } };
}

function refreshRequest(
  url: URL,
  form: {
    readonly access: Access;
    readonly token: string;
    readonly service: string | undefined;
    readonly scope: string;
  },
): DocumentRequest {
  const fields = {
    grant_type: "refresh_token",
    refresh_token: form.token,
    client_id: "gantry",
    service: form.service ?? "",
    scope: form.scope,
  };
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const body = new URLSearchParams(fields).toString();
  return { url, method: "POST", access: form.access, limit: LIMIT, headers, body };
}

/** The header of basic authentication, or undefined for other credentials. */
export function basicHeader(credentials: Credentials | undefined): string | undefined {
  if (credentials?.kind !== "basic") return undefined;
  return `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString("base64")}`;
}

function refused(realm: URL, document: Document, { host, access }: TokenRequest): GantryError {
  const denied = document.status === 401 || document.status === 403;
  const who =
    access.credentials === undefined ? "without credentials" : "with the credentials configured for it";
  const message = `${shownUrl(realm)} gives no token for ${quoted(host)} ${who}: it answers ${document.status}${complaintOf(document)}`;
  return new GantryError(denied ? "AccessDenied" : "FetchFailed", message);
}
