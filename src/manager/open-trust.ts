/** What this host trusts, for whoever asks: in this process for root, through the agent for everybody else. */
import { type Caller, refuseForeignDirectory } from "./open.ts";
import type { TrustVerbs } from "./trust-verbs.ts";

/** Opens the trust of a caller. Throws AccessDenied for a data directory that the agent does not work on. */
export async function openTrust(caller: Caller): Promise<TrustVerbs> {
  if (caller.uid === 0) return (await import("./local.ts")).localTrust(caller);
  refuseForeignDirectory(caller);
  return (await import("./remote-trust.ts")).remoteTrust(caller);
}
