/** Public keys from the network, only when somebody asks for them: the fetcher brings them, and a person looks at them. */
import { join } from "node:path";
import { webServers } from "../config/web-servers.ts";
import { beginOperation } from "../store/operation.ts";
import type { Progress } from "../store/progress.ts";
import { openStore } from "../store/store.ts";
import { openFetcher } from "../transport/fetcher.ts";
import type { Local } from "./local.ts";
import type { FetchedKeys, KeyPlace } from "./trust-verbs.ts";

/** See TrustVerbs.fetchKeys. */
export async function fetchKeys(
  local: Local,
  { prefix, urls, insecureHttp }: KeyPlace,
): Promise<FetchedKeys> {
  await using operation = await beginOperation(await openStore(local.paths.data));
  const program = join(local.paths.libexec, "gantry-fetcher");
  const notes: string[] = [];
  const progress = (event: Progress) => {
    if (event.event === "log") notes.push(event.text);
  };
  await using fetcher = await openFetcher({ systemd: await local.bus(), program, operation, progress });
  const insecureOptions = insecureHttp ? ["http"] : [];
  const servers = await webServers({ insecureOptions, environment: local.environment ?? process.env });
  const place = urls === undefined ? {} : { urls: [...urls] };
  const { keys } = await fetcher.keys({ kind: "keys", name: prefix, ...place, ...servers });
  await fetcher.finish();
  return { keys: keys.map(({ url, armour }) => ({ url, text: armour })), notes };
}
