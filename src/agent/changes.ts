/**
 * What changes about pods and images while somebody looks: the directories on disk and systemd's units say when to
 * look again, and two looks compared say what has changed. So it does not matter who changed it, or how often.
 */
import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { errnoOf } from "../base/errors.ts";
import type { Bus, Signal } from "../bus/connection.ts";
import { type Collection, type Face, objectPath } from "../bus/objects.ts";

const SYSTEMD = "org.freedesktop.systemd1";
const UNIT_RULE =
  `type='signal',sender='${SYSTEMD}',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',` +
  `path_namespace='/org/freedesktop/systemd1/unit',arg0='${SYSTEMD}.Unit'`;
/** The beginning of the paths of units that are called `gantry-…`. */
const OUR_UNITS = "/org/freedesktop/systemd1/unit/gantry_2d";

/** Milliseconds: events come in bursts, and one look tells what all of them did. */
const PAUSE = 20;

export type Sighting = {
  readonly path: string;
  readonly prefix: string;
  readonly name: string;
  readonly faces: readonly Face<unknown>[];
  readonly entity: unknown;
};

export type ChangesOptions = {
  readonly bus: Bus;
  /** The data directory, whose pods/ and images/ are watched. */
  readonly data: string;
  readonly collections: readonly Collection[];
  onNew(sighting: Sighting): void;
  onRemoved(sighting: Sighting): void;
  onChanged(path: string, face: Face<unknown>, values: Readonly<Record<string, unknown>>): void;
  onFailure(error: unknown): void;
};

export type Changes = {
  /** Somebody looks; to be called once per interest. Resolves when changes from now on are seen. */
  acquire(): Promise<void>;
  release(): void;
};

type State = {
  readonly options: ChangesOptions;
  interests: number;
  seen: ReadonlyMap<string, Sighting> | undefined;
  systemd: string | undefined;
  readonly watchers: Map<string, FSWatcher>;
  timer: NodeJS.Timeout | undefined;
  looking: Promise<void>;
};

export function makeChanges(options: ChangesOptions): Changes {
  const state: State = {
    ...{ options, interests: 0, seen: undefined, systemd: undefined },
    ...{ watchers: new Map(), timer: undefined, looking: Promise.resolve() },
  };
  options.bus.onSignal((signal) => noteSignal(state, signal));
  return { acquire: () => acquire(state), release: () => release(state) };
}

async function acquire(state: State): Promise<void> {
  state.interests += 1;
  if (state.interests > 1) return await state.looking;
  state.looking = begin(state).catch(state.options.onFailure);
  await state.looking;
}

async function begin(state: State): Promise<void> {
  state.seen = undefined;
  watchDirectories(state);
  await subscribe(state);
  await look(state);
}

function release(state: State): void {
  state.interests -= 1;
  if (state.interests > 0) return;
  for (const watcher of state.watchers.values()) watcher.close();
  state.watchers.clear();
  clearTimeout(state.timer);
  state.timer = undefined;
  void unsubscribe(state).catch(state.options.onFailure);
}

/** The data directory is watched for the others to appear: the first import makes images/, the first pod pods/. */
function watchDirectories(state: State): void {
  for (const name of ["", "pods", "images"]) {
    if (!state.watchers.has(name)) watchDirectory(state, name);
  }
}

function watchDirectory(state: State, name: string): void {
  try {
    const watcher = watch(join(state.options.data, name), { persistent: false }, () => trigger(state));
    watcher.on("error", state.options.onFailure);
    state.watchers.set(name, watcher);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") state.options.onFailure(error);
  }
}

async function subscribe(state: State): Promise<void> {
  await match(state, "AddMatch");
  const reply = await systemd(state, "Subscribe");
  state.systemd = reply.sender;
}

async function unsubscribe(state: State): Promise<void> {
  state.systemd = undefined;
  await match(state, "RemoveMatch");
  await systemd(state, "Unsubscribe");
}

async function match({ options }: State, member: "AddMatch" | "RemoveMatch") {
  const daemon = "org.freedesktop.DBus";
  return await options.bus.call({
    ...{ destination: daemon, path: "/org/freedesktop/DBus", interface: daemon, member },
    ...{ signature: "s", body: [UNIT_RULE] },
  });
}

async function systemd({ options }: State, member: "Subscribe" | "Unsubscribe") {
  const path = "/org/freedesktop/systemd1";
  return await options.bus.call({ destination: SYSTEMD, path, interface: `${SYSTEMD}.Manager`, member });
}

/** Anybody may send us a signal: only systemd's own unique name is believed. */
function noteSignal(state: State, { sender, path, member }: Signal): void {
  if (sender !== state.systemd || member !== "PropertiesChanged" || !path.startsWith(OUR_UNITS)) return;
  trigger(state);
}

function trigger(state: State): void {
  if (state.interests === 0) return;
  state.timer ??= setTimeout(() => {
    state.timer = undefined;
    state.looking = state.looking.then(() => look(state)).catch(state.options.onFailure);
  }, PAUSE);
}

async function look(state: State): Promise<void> {
  if (state.interests === 0) return;
  watchDirectories(state);
  const before = state.seen;
  const now = await sightings(state.options.collections);
  state.seen = now;
  if (before !== undefined) compare(state.options, before, now);
}

async function sightings(collections: readonly Collection[]): Promise<Map<string, Sighting>> {
  const found = new Map<string, Sighting>();
  for (const { prefix, faces, list } of collections) {
    for (const [name, entity] of await list()) {
      const path = objectPath(prefix, name);
      found.set(path, { path, prefix, name, faces, entity });
    }
  }
  return found;
}

function compare(
  options: ChangesOptions,
  before: ReadonlyMap<string, Sighting>,
  now: ReadonlyMap<string, Sighting>,
): void {
  for (const [path, sighting] of before) if (!now.has(path)) options.onRemoved(sighting);
  for (const [path, sighting] of now) {
    const old = before.get(path);
    if (old === undefined) options.onNew(sighting);
    else compareOne(options, old, sighting);
  }
}

function compareOne(options: ChangesOptions, old: Sighting, now: Sighting): void {
  for (const face of now.faces) {
    const before = face.properties(old.entity);
    const values = Object.entries(face.properties(now.entity));
    const changed = values.filter(([name, value]) => !isDeepStrictEqual(value, before[name]));
    if (changed.length > 0) options.onChanged(now.path, face, Object.fromEntries(changed));
  }
}
