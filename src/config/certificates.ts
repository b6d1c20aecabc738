/** Certificates in PEM. Apart from the files that name them, since loading node:crypto takes a tenth of a short command. */
import { X509Certificate } from "node:crypto";
import { badConfig } from "./files.ts";

/** Throws BadConfig, naming the file, unless `text` holds certificates that can be read. */
export function checkCertificates(text: string, path: string): void {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw badConfig(path, "holds no certificate in PEM");
  for (const [at, block] of blocks.entries()) {
    try {
      new X509Certificate(block);
    } catch (cause) {
      throw badConfig(path, `: certificate ${at + 1} can't be read`, cause);
    }
  }
}
