/** Answering a registry's challenges: nothing is sent before it asks, and to nobody but it and its realm. */
import type { IncomingHttpHeaders } from "node:http";
import type { Access } from "../inbox/protocol.ts";
import type { Client } from "../transfer/client.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { basicHeader, fetchToken, type Token } from "./token.ts";

export type Authorization = {
  /**
   * Sends to `asked` by `send`, which is given the header to add; once more, with a new token, when the registry itself
   * answers 401. Throws what `send` throws, and AccessDenied, FetchFailed, TimedOut when no token is to be had.
   */
  apply<T extends Challenged>(asked: URL, send: (headers: Record<string, string>) => Promise<T>): Promise<T>;
};

type Challenged = {
  readonly url: URL;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly close?: () => void;
};

export type AuthorizationOptions = {
  readonly host: string;
  readonly access: Access;
  /** The scope that is asked for where the registry names none. */
  readonly scope: string;
};

/** What one registry is told, kept for all requests to it. */
export function openAuthorization(client: Client, options: AuthorizationOptions): Authorization {
  let current: Token | undefined;
  let pending: Promise<Token | undefined> | undefined;
  /** Streams that meet the end of a token at the same time get one new token together. */
  const renew = (header: string) => {
    pending ??= answerChallenge(client, parseChallenges(header), options).finally(() => {
      pending = undefined;
    });
    return pending;
  };
  return {
    apply: async (asked, send) => {
      if (current !== undefined && current.until <= performance.now()) current = undefined;
      const used = current;
      const first = await send(headersOf(used));
      // Where a redirect leads, somebody else names the realm, who would then be told the credentials.
      if (first.status !== 401 || first.url.origin !== asked.origin) return first;
      // Somebody else may have got a new one meanwhile.
      if (current === used || current === undefined) {
        const renewed = await renew(first.headers["www-authenticate"] ?? "");
        if (renewed === undefined) return first;
        current = renewed;
      }
      first.close?.();
      return await send(headersOf(current));
    },
  };
}

function headersOf(token: Token | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: token.header };
}

/** The header that answers one of the challenges; undefined when none can be answered. */
async function answerChallenge(
  client: Client,
  challenges: readonly Challenge[],
  options: AuthorizationOptions,
): Promise<Token | undefined> {
  const { credentials } = options.access;
  const until = Number.POSITIVE_INFINITY;
  if (credentials?.kind === "bearer") return { header: `Bearer ${credentials.token}`, until };
  const bearer = challenges.find(({ scheme }) => scheme === "bearer");
  if (bearer !== undefined) return await fetchToken(client, { ...options, challenge: bearer });
  const header = basicHeader(credentials);
  const wanted = challenges.some(({ scheme }) => scheme === "basic");
  return wanted && header !== undefined ? { header, until } : undefined;
}
