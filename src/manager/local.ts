/**
 * The manager in this process: what root's command line uses. Each errand loads what it needs: the start of Node is
 * most of what `gantry run` costs.
 */
import type { Environment } from "../config/caller-files.ts";
import type { Paths } from "../config/paths.ts";
import type { Systemd } from "../systemd/systemd.ts";
import type { Installer } from "./installer.ts";
import type { PodManager } from "./manager.ts";
import type { TrustVerbs } from "./trust-verbs.ts";
import { makeTurns } from "./turns.ts";

export type Local = {
  readonly paths: Paths;
  readonly uid: number;
  /** The caller's, where this process is the caller's. */
  readonly environment?: Environment;
  bus(): Promise<Systemd>;
};

type Caller = Omit<Local, "bus">;

/** Opens the manager on the directories of `paths`; the bus is connected when something needs it. */
export function localManager(caller: Caller): PodManager {
  const { local, dispose } = openLocal(caller);
  return managerOn(local, dispose);
}

/** Opens the installer, in the same way. */
export function localInstaller(caller: Caller): Installer {
  const { local, dispose } = openLocal(caller);
  return {
    ...installerOn(local, dispose),
    refresh: async (name) => (await import("./install.ts")).refreshPod(local, name),
  };
}

/**
 * The same on a connection that somebody else made and closes, for many callers at a time. A pod that runs is not
 * refreshed.
 */
export function installerOnBus(local: Local): Installer {
  const installer = installerOn(local, async () => {});
  const turns = makeTurns();
  return {
    ...installer,
    install: async (installation) => {
      const { name } = (await import("./install.ts")).outlineOf(installation);
      return await turns(name, () => installer.install(installation));
    },
    refresh: (name) => turns(name, () => installer.refresh(name)),
    uninstall: (name) => turns(name, () => installer.uninstall(name)),
  };
}

function installerOn(local: Local, dispose: () => Promise<void>): Installer {
  const code = () => import("./install.ts");
  return {
    list: async () => (await code()).listInstalled(),
    install: async (installation) => (await code()).installPod(local, installation),
    refresh: async (name) => (await code()).refreshIdlePod(local, name),
    uninstall: async (name) => (await code()).uninstallPod(local, name),
    [Symbol.asyncDispose]: dispose,
  };
}

/** Opens what this host trusts, in the same way. */
export function localTrust(caller: Caller): TrustVerbs {
  const { local, dispose } = openLocal(caller);
  return { ...trustOn(local), [Symbol.asyncDispose]: dispose };
}

function openLocal({ paths, uid, environment }: Caller): { local: Local; dispose: () => Promise<void> } {
  let systemd: Promise<Systemd> | undefined;
  const bus = () => {
    systemd ??= import("../systemd/systemd.ts").then(({ connectSystemd }) => connectSystemd());
    return systemd;
  };
  const dispose = async () => {
    // A connection that failed was reported by whoever needed it.
    const connected = await systemd?.catch(() => undefined);
    await connected?.[Symbol.asyncDispose]();
  };
  return { local: { paths, uid, ...(environment === undefined ? {} : { environment }), bus }, dispose };
}

/** The same on a connection that somebody else made and closes. */
export function managerOnBus(local: Local): PodManager {
  return managerOn(local, async () => {});
}

/** The same on a connection that somebody else made and closes. */
export function trustOn(local: Local): Omit<TrustVerbs, keyof AsyncDisposable> {
  const change = () => import("./trust-change.ts");
  // Anybody may ask the agent, and each answer is a process: one at a time.
  const turns = makeTurns();
  return {
    list: () => turns("", async () => (await import("./trust-list.ts")).listTrust(local)),
    explain: (image) =>
      turns("", async () => (await import("./trust-explain.ts")).explainImage(local, image)),
    fetchKeys: async (place) => (await import("./key-fetch.ts")).fetchKeys(local, place),
    review: async (text) => (await change()).reviewKeys(local, text),
    addKeys: async (keys) => (await change()).addKeys(local, keys),
    addRule: async (rule) => (await change()).addRule(local, rule),
    addConsent: async (consent) => (await change()).addConsent(local, consent),
    remove: async (what, { scope }) => (await change()).remove(local, what, scope),
    importFrom: async (origin) => (await import("./trust-import.ts")).importTrust(local, origin),
  };
}

function managerOn(local: Local, dispose: () => Promise<void>): PodManager {
  const preparing = () => import("./prepare.ts");
  const pods = () => import("./pods.ts");
  return {
    preparePod: async (request, prepare) => (await preparing()).prepareRequest(local, request, prepare),
    prepareManifest: async (text, origin, prepare) =>
      (await preparing()).prepareManifest(local, { text, origin }, prepare),
    launchablePod: async (word, launchable) => (await pods()).launchablePod(local, word, launchable),
    startInstalled: async (word, start) =>
      (await import("./installed-start.ts")).startInstalled(local, word, start),
    listPods: async () => (await pods()).listPods(local),
    podStatus: async (word) => (await pods()).podStatus(local, word),
    waitPod: async (word, what, timeout) => (await pods()).waitPod(local, { word, what, timeout }),
    podManifest: async (word) => (await pods()).podManifest(local, word),
    stopPod: async (word, { force }) => (await pods()).stop(local, word, force),
    killPod: async (word, kill) => (await pods()).signal(local, word, kill),
    removePod: async (word, { force }) => (await pods()).remove(local, word, force),
    collectPods: async (gc) => (await pods()).collect(local, gc),
    [Symbol.asyncDispose]: dispose,
  };
}
