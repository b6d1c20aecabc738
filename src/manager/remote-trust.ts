/** What this host trusts, on the other side of the bus. */
import { GantryError } from "../base/errors.ts";
import { callMethod, type Peer } from "../bus/client.ts";
import { MANAGER } from "../interface/manager.ts";
import { openAgentLink } from "./agent-link.ts";
import type { Caller } from "./open.ts";
import type { KeyScope, TrustVerbs } from "./trust-verbs.ts";

/** Reading is free; polkit decides about the rest. */
export function remoteTrust({ authentication }: Pick<Caller, "authentication">): TrustVerbs {
  const agent = openAgentLink(authentication);
  const ask = async (question: (manager: Peer) => Promise<string>) => JSON.parse(await agent.ask(question));
  const demand = async (question: (manager: Peer) => Promise<string>) =>
    JSON.parse(await agent.demand(question));
  return {
    list: () => ask((manager) => callMethod(manager, [MANAGER, "ListTrust"], {})),
    explain: (image) => ask((manager) => callMethod(manager, [MANAGER, "ExplainTrust"], { image })),
    fetchKeys: ({ prefix, urls = [], insecureHttp }) =>
      demand((manager) =>
        callMethod(manager, [MANAGER, "FetchKeys"], { prefix, urls, options: { http: insecureHttp } }),
      ),
    review: (text) =>
      demand((manager) => callMethod(manager, [MANAGER, "ReviewKeys"], { text, options: {} })),
    addKeys: ({ text, scope, fingerprints, source }) => {
      const options = { ...optionsOf(scope), ...(source === undefined ? {} : { source }) };
      return demand((manager) =>
        callMethod(manager, [MANAGER, "TrustKeys"], { text, fingerprints, options }),
      );
    },
    addRule: (rule) =>
      demand((manager) =>
        callMethod(manager, [MANAGER, "TrustRule"], { rule: JSON.stringify(rule), options: {} }),
      ),
    addConsent: ({ name, digest }) =>
      demand((manager) => callMethod(manager, [MANAGER, "TrustDigest"], { name, digest, options: {} })),
    remove: (what, { scope }) =>
      demand((manager) =>
        callMethod(manager, [MANAGER, "Distrust"], {
          what,
          options: scope === undefined ? {} : optionsOf(scope),
        }),
      ),
    // Whose files they are is a matter of the machine's set-up, and so is who takes them over.
    importFrom: async () => {
      throw new GantryError("AccessDenied", "only root can take over what other tools trust", {
        hint: "run the command as root",
      });
    },
    [Symbol.asyncDispose]: () => agent.close(),
  };
}

function optionsOf(scope: KeyScope): { prefix?: string; root?: boolean; named?: string } {
  return { ...scope };
}
