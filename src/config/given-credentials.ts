/**
 * Credentials that come with a call of the bus: by registry or part of one, as `auth.json` has its keys. They are for that call
 * alone; what finds them is a function, so that nobody who shows a request shows them.
 */
import * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Credentials } from "../inbox/protocol.ts";
import { longestKey, normalKey } from "./caller-files.ts";

/** As the bus has them. */
export type GivenCredentials = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** What there is for a name, `registry/repository`. */
export type FindCredentials = (name: string) => Credentials | undefined;

const MOST = 64;

const Text = z.string().min(1).max(65_536);
const Entry = z.union([
  z.strictObject({ user: Text, password: Text }),
  z.strictObject({ token: Text }),
  z.strictObject({ identityToken: Text }),
]);

/** Throws Usage, which repeats no value. */
export function parseCredentials(given: GivenCredentials): FindCredentials {
  const keys = Object.keys(given);
  if (keys.length > MOST)
    throw new GantryError(
      "Usage",
      `there are credentials for ${keys.length} registries, at most ${MOST} are taken`,
    );
  const entries = keys.map((key) => ({ key: normalKey(key), entry: credentialsOf(key, given[key]) }));
  return (name) => longestKey(entries, name)?.entry;
}

function credentialsOf(key: string, given: unknown): Credentials {
  const { success, data } = Entry.safeParse(given);
  if (!success) {
    const text = `the credentials for ${quoted(key)} are neither user and password, nor token, nor identityToken`;
    throw new GantryError("Usage", text);
  }
  if ("user" in data) return { kind: "basic", ...data };
  return "token" in data
    ? { kind: "bearer", token: data.token }
    : { kind: "identity-token", token: data.identityToken };
}

/** The way back: an entry of GivenCredentials. */
export function entryOf(credentials: Credentials): Readonly<Record<string, string>> {
  switch (credentials.kind) {
    case "basic":
      return { user: credentials.user, password: credentials.password };
    case "bearer":
      return { token: credentials.token };
    case "identity-token":
      return { identityToken: credentials.token };
  }
}
