/** gzip as Debian's policy wants documents. */
import { constants, gzipSync } from "node:zlib";

/** As `gzip -9n` makes it: without name and time. */
export function compress(text: string): Buffer {
  return gzipSync(text, { level: constants.Z_BEST_COMPRESSION });
}
