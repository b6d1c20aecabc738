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

/** Below the data directory. What units tell is about pods. */
const DIRECTORIES = ["pods", "images"] as const;
type Directory = (typeof DIRECTORIES)[number];

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
  /** The data directory. */
  readonly data: string;
  /** By the directory whose entries make them. */
  readonly collections: Readonly<Record<Directory, readonly Collection[]>>;
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
  readonly seen: Map<Directory, ReadonlyMap<string, Sighting>>;
  /** Where something has happened since the last look. */
  readonly changed: Set<Directory>;
  systemd: string | undefined;
  readonly watchers: Map<string, FSWatcher>;
  timer: NodeJS.Timeout | undefined;
  looking: Promise<void>;
};

export function makeChanges(options: ChangesOptions): Changes {
  const state: State = {
    ...{ options, interests: 0, seen: new Map(), changed: new Set(DIRECTORIES), systemd: undefined },
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
  state.seen.clear();
  for (const directory of DIRECTORIES) state.changed.add(directory);
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
  if (!state.watchers.has("")) watchDirectory(state, "", DIRECTORIES);
  for (const name of DIRECTORIES) {
    if (!state.watchers.has(name)) watchDirectory(state, name, [name]);
  }
}

/** All that matters there comes by a rename; any other event is of a time that was set, such as an image's last use. */
function watchDirectory(state: State, name: string, about: readonly Directory[]): void {
  const onEvent = (event: string) => {
    if (event === "rename") trigger(state, about);
  };
  try {
    const watcher = watch(join(state.options.data, name), { persistent: false }, onEvent);
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
  trigger(state, ["pods"]);
}

function trigger(state: State, about: readonly Directory[]): void {
  if (state.interests === 0) return;
  for (const directory of about) state.changed.add(directory);
  state.timer ??= setTimeout(() => {
    state.timer = undefined;
    state.looking = state.looking.then(() => look(state)).catch(state.options.onFailure);
  }, PAUSE);
}

async function look(state: State): Promise<void> {
  if (state.interests === 0) return;
  watchDirectories(state);
  for (const directory of DIRECTORIES) if (state.changed.delete(directory)) await lookInto(state, directory);
}

async function lookInto({ seen, options }: State, directory: Directory): Promise<void> {
  const before = seen.get(directory);
  const now = await sightings(options.collections[directory]);
  seen.set(directory, now);
  if (before !== undefined) compare(options, before, now);
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
