/** The certificates that this machine trusts, where distributions keep them in one file. */
import { readFileSync } from "node:fs";

const PLACES = [
  "/etc/ssl/certs/ca-certificates.crt", // Debian, Arch
  "/etc/pki/tls/certs/ca-bundle.crt", // Fedora
  "/etc/ssl/ca-bundle.pem", // SUSE
  "/etc/ssl/cert.pem", // Alpine
];

/** The first of them that is there; undefined on a machine without one, where those that came with Node have to do. */
export function machineAuthorities(places: readonly string[] = PLACES): string | undefined {
  for (const place of places) {
    try {
      return readFileSync(place, "latin1");
    } catch {
      // The next one.
    }
  }
  return undefined;
}
