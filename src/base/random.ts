/** Random names. */
import { closeSync, openSync, readSync } from "node:fs";

/** `bytes` random bytes in hex, from the kernel itself: loading node:crypto for them takes longer than a pod's plan. */
export function randomHex(bytes: number): string {
  const buffer = Buffer.alloc(bytes);
  const source = openSync("/dev/urandom", "r");
  try {
    readSync(source, buffer);
  } finally {
    closeSync(source);
  }
  return buffer.toString("hex");
}
