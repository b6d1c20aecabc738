/** How web servers of ACIs are spoken to. */
import type { Servers } from "../inbox/protocol.ts";
import type { InsecureOption } from "../trust/verdict.ts";

export async function webServers(insecureOptions: readonly InsecureOption[]): Promise<Servers> {
  const [insecureTls, plainHttp] = [insecureOptions.includes("tls"), insecureOptions.includes("http")];
  return { servers: [], others: { insecureTls, plainHttp } };
}
