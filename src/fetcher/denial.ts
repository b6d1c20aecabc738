/** What the servers of ACIs say to those whom they don't let in, and where that can be mended. */
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Server } from "../inbox/protocol.ts";
import { readBody } from "../transfer/body.ts";
import type { Answer } from "../transfer/exchange.ts";
import { shownUrl } from "../transfer/failure.ts";

export type Asked = Pick<Server, "credentials" | "file"> & { readonly url: URL };

const COMPLAINT_LIMIT = 64 * 1024;

/** S3 refuses signatures that are older or younger. */
const MOST_MINUTES = 15;

/** The failure that an answer means, or undefined for one that denies nothing. */
export async function denialOf(answer: Answer, asked: Asked): Promise<GantryError | undefined> {
  const { status } = answer;
  const ours = asked.credentials?.kind === "aws" && answer.url.origin === asked.url.origin;
  // S3 says 400 or, with no place to go to, 301 to who signs for another region.
  if (![401, 403, ...(ours ? [301, 400] : [])].includes(status)) return undefined;
  // Of what was signed its server has no secret that it could repeat.
  const complaint = ours ? await complaintOf(answer) : {};
  const said = complaint.code === undefined ? "" : ` (${complaint.code})`;
  const clock = ours ? clockFault(answer, complaint) : undefined;
  const message = `the image: ${shownUrl(answer.url)} answers ${status}${said}`;
  const hint =
    clock === undefined
      ? hintFor(answer, asked, complaint)
      : "signatures need the right time: timedatectl(1)";
  return new GantryError("AccessDenied", clock === undefined ? message : `${message}: ${clock}`, { hint });
}

type Complaint = { readonly code?: string | undefined; readonly region?: string | undefined };

async function complaintOf({ url, body, headers }: Answer): Promise<Complaint> {
  let text = "";
  try {
    text = (
      await readBody(body, { url, limit: COMPLAINT_LIMIT, length: headers["content-length"] })
    ).toString();
  } catch {
    // The status says what counts.
  }
  return {
    code: /<Code>([A-Za-z]{1,64})<\/Code>/.exec(text)?.[1],
    region:
      /<Region>([a-z0-9-]{1,64})<\/Region>/.exec(text)?.[1] ?? headers["x-amz-bucket-region"]?.toString(),
  };
}

function hintFor({ url }: Answer, asked: Asked, { code, region }: Complaint): string {
  const host = quoted(asked.url.host);
  if (url.origin !== asked.url.origin) return `${host} redirects there, and credentials don't go along`;
  if (asked.file === undefined) return `credentials for ${host} go into a file of auth.d`;
  const told = `the credentials for ${host} are those of ${quoted(asked.file)}`;
  const elsewhere = code === "AuthorizationHeaderMalformed" || code === "PermanentRedirect";
  return elsewhere && region !== undefined ? `${told}; the region (awsRegion) is ${quoted(region)}` : told;
}

function clockFault({ url, headers }: Answer, { code }: Complaint): string | undefined {
  const minutes = Math.round((Date.now() - Date.parse(headers.date ?? "")) / 60_000);
  const host = quoted(url.host);
  if (Math.abs(minutes) > MOST_MINUTES) {
    return `this machine's clock is ${Math.abs(minutes)} minutes ${minutes > 0 ? "ahead of" : "behind"} that of ${host}`;
  }
  return code === "RequestTimeTooSkewed"
    ? `this machine's clock and that of ${host} differ too much`
    : undefined;
}
