/** A digest's text at a border. Apart from digest.ts, which is used where nothing else needs zod. */
import * as z from "zod";

export const DigestText = z.string().regex(/^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/);
