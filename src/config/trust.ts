/**
 * Where it is written whom this host trusts: the policy's rules and the keystore, below each of the configuration's
 * places. All of it counts for the trust generation, so nothing else may decide about trust (docs/trust.md).
 */
import { join } from "node:path";

/** In the order of precedence: a file masks those of the same name behind it. */
export const CONFIGURATION_DIRECTORIES = ["/etc/gantry", "/run/gantry", "/usr/lib/gantry"] as const;

/** Below each of them. native/trust/generation.c has the same names. */
export const POLICY_DIRECTORY = "trust.d";
export const KEYSTORE_DIRECTORY = "trustedkeys";

/** Every place of the trust configuration, in the order the generation takes them in. */
export function trustPlaces(root = ""): string[] {
  return CONFIGURATION_DIRECTORIES.flatMap((directory) =>
    [POLICY_DIRECTORY, KEYSTORE_DIRECTORY].map((name) => join("/", root, directory, name)),
  );
}
