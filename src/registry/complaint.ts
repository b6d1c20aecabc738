/** What a registry says when it says no. */
import * as z from "zod";
import { type ErrorKind, GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Document } from "../transfer/document.ts";
import { shownUrl } from "../transfer/failure.ts";

const Complaint = z.object({
  errors: z.array(z.object({ code: z.string().optional(), message: z.string().nullish() })).min(1),
});

/** `: "…"` with the server's own words, or nothing when it has none. */
export function complaintOf({ bytes }: Pick<Document, "bytes">): string {
  const { success, data } = Complaint.safeParse(parsed(bytes));
  if (!success) return "";
  const [{ code, message } = {}] = data.errors;
  const words = [code, message].filter((word) => word !== undefined && word !== null && word !== "");
  return words.length === 0 ? "" : `: ${quoted(words.join(": "))}`;
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

export type Refusal = {
  /** What was asked for, such as `image "docker.io/library/x:1"`. */
  readonly what: string;
  readonly host: string;
  readonly credentials: boolean;
};

/** The failure that an answer other than 200 means. */
export function refusalOf(document: Document, { what, host, credentials }: Refusal): GantryError {
  const { status, url } = document;
  const said = `${shownUrl(url)} answers ${status}${complaintOf(document)}`;
  const kind = kindOf(status);
  if (kind === "NoSuchImage") return new GantryError(kind, `${quoted(host)} has no ${what}: ${said}`);
  if (kind === "FetchFailed") return new GantryError(kind, `${what}: ${said}`);
  const hint = accessHint(url, { host, credentials });
  return new GantryError(kind, `${quoted(host)} gives no access to ${what}: ${said}`, { hint });
}

function accessHint(url: URL, { host, credentials }: Pick<Refusal, "host" | "credentials">): string {
  if (url.host !== host) return `${host} leads there, where its credentials are not sent`;
  return credentials
    ? `the credentials configured for ${host} are not accepted for it`
    : `credentials for ${host} go into a file of auth.d, or into the caller's containers/auth.json`;
}

function kindOf(status: number): ErrorKind {
  if (status === 404) return "NoSuchImage";
  return status === 401 || status === 403 ? "AccessDenied" : "FetchFailed";
}
