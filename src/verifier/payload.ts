/** The signed payload of simple signing and of cosign (containers-signature(5), cosign's signature specification). */
import * as z from "zod";

/** Unknown members inside `critical` are a reason to refuse: the signer meant something that isn't understood here. */
const Payload = z.strictObject({
  critical: z.strictObject({
    type: z.string(),
    image: z.strictObject({ "docker-manifest-digest": z.string() }),
    identity: z.strictObject({ "docker-reference": z.string().max(1024) }),
  }),
  optional: z.record(z.string(), z.unknown()).nullish(),
});

export type Payload = {
  readonly digest: string;
  readonly identity: string;
  readonly annotations: Record<string, string>;
};

/** Throws an Error unless the payload is of this type and about one of these digests. */
export function readPayload(
  bytes: Buffer,
  expected: { readonly type: string; readonly digests: readonly string[] },
): Payload {
  const parsed = Payload.safeParse(parse(bytes));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`its payload is wrong at ${issue?.path.join(".") || "its top"}: ${issue?.message}`);
  }
  const { type, image, identity } = parsed.data.critical;
  if (type !== expected.type) throw new Error(`its payload is a "${type}", not a "${expected.type}"`);
  const digest = image["docker-manifest-digest"];
  if (!expected.digests.includes(digest))
    throw new Error(`it is for ${digest}, not for ${expected.digests.join(" or ")}`);
  return {
    digest,
    identity: identity["docker-reference"],
    annotations: annotationsOf(parsed.data.optional ?? {}),
  };
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch (cause) {
    throw new Error("its payload is not JSON", { cause });
  }
}

/** Only text can be demanded by a rule, and only so much of it fits an answer. */
function annotationsOf(optional: Readonly<Record<string, unknown>>): Record<string, string> {
  const pairs = Object.entries(optional).filter(
    (pair): pair is [string, string] =>
      typeof pair[1] === "string" && pair[0].length <= 512 && pair[1].length <= 4096,
  );
  return Object.fromEntries(pairs.slice(0, 64));
}
