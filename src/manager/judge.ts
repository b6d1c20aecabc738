/** The judge of this host: its policy and keys, and gantry-verifier in a unit of its own. */
import { join } from "node:path";
import type { Paths } from "../config/paths.ts";
import { CONFIGURATION_DIRECTORIES } from "../config/trust.ts";
import { beginOperation } from "../store/operation.ts";
import { openStore } from "../store/store.ts";
import type { Systemd } from "../systemd/systemd.ts";
import { judgeBy, type Trust } from "../trust/judge.ts";
import type { Judge } from "../trust/subject.ts";
import type { Verifier } from "../trust/verifier.ts";
import { unitVerifier } from "../trust/verifier-unit.ts";
import { noteRefusal } from "./refusal.ts";

export type TrustOptions = {
  readonly paths: Paths;
  /** Connects when it is needed for the first time. */
  readonly systemd: () => Promise<Systemd>;
};

/** What this host judges by. */
export function hostTrust(options: TrustOptions): Trust {
  return { roots: CONFIGURATION_DIRECTORIES, verifier: hostVerifier(options) };
}

export function hostJudge(options: TrustOptions): Judge {
  return tellingJudge(hostTrust(options));
}

/** A judge who tells the journal what he has refused. */
export function tellingJudge(trust: Trust): Judge {
  const judge = judgeBy(trust);
  return async (request) => {
    try {
      return await judge(request);
    } catch (error) {
      const { subject, uid } = request;
      await noteRefusal(error, { name: subject.reference, digest: subject.digest, uid });
      throw error;
    }
  };
}

/** Each run is an operation, so that what a killed one leaves is garbage. */
export function hostVerifier({ paths, systemd }: TrustOptions): Verifier {
  const program = join(paths.libexec, "gantry-verifier");
  return async (run) => {
    await using operation = await beginOperation(await openStore(paths.data));
    const { id, directory } = operation;
    return await unitVerifier(systemd, { operation: id, program, directory })(run);
  };
}
