/**
 * Serves an object tree: looks a call up, checks it, has it authorized, runs it, and answers exactly once. Its order
 * is what keeps strangers cheap: nothing of a body is decoded before its signature is the declared one, and no object
 * is looked for before the arguments are right.
 */
import type { Bus, CallHead, IncomingCall } from "./connection.ts";
import { BusError, errorReply, isUnforeseen } from "./errors.ts";
import {
  type Call,
  childrenOf,
  type Demand,
  type Errand,
  type Face,
  type ObjectTree,
  type Place,
  placeAt,
} from "./objects.ts";
import { argumentParser } from "./schema.ts";
import {
  interfaceValues,
  type Node,
  nodeFaces,
  OBJECT_MANAGER,
  objectManagerFace,
  PROPERTIES,
  PROPERTIES_FACE,
  unknownInterface,
} from "./standard.ts";
import {
  type InterfaceTable,
  inSignature,
  type MethodRow,
  outSignature,
  type SignalOf,
  type SignalRow,
} from "./table.ts";

/** Flags of a call, from the D-Bus specification. */
const NO_REPLY_EXPECTED = 0x1;
const ALLOW_INTERACTIVE_AUTHORIZATION = 0x4;

export type ServiceOptions = {
  readonly bus: Bus;
  readonly tree: ObjectTree;
  /** Where org.freedesktop.DBus.ObjectManager is. */
  readonly root: string;
  /** Calls of one sender that may be unanswered at a time. */
  readonly maxPerSender: number;
  /** Throws AccessDenied or InteractiveAuthorizationRequired. */
  authorize(action: string, demand: Demand, call: Call): Promise<void>;
  /** Told of every call, before anything of it is looked at. */
  onCall?(call: IncomingCall): void;
  /** Told of failures that are ours, before the caller is answered without their details. */
  onFailure(error: unknown, call: IncomingCall): void;
  /** Told whenever a call has been answered. */
  onIdle(): void;
};

export type Service = {
  /** Calls that are not answered yet. */
  inFlight(): number;
};

/** Signals of the objects of a tree whose ObjectManager is at `root`. */
export type Emitter = {
  emit<T extends InterfaceTable, S extends keyof T["signals"] & string>(
    path: string,
    signal: readonly [table: T, member: S],
    values: SignalOf<T, S>,
  ): void;
  /** Announces new values of properties; ones whose row says `emits: "false"` are left out. */
  emitChanged(path: string, face: Face<never>, values: Readonly<Record<string, unknown>>): void;
  emitAdded(path: string, faces: readonly Face<never>[], entity: unknown): void;
  emitRemoved(path: string, faces: readonly Face<never>[]): void;
};

export function makeEmitter(bus: Bus, root: string): Emitter {
  const send = (path: string, table: InterfaceTable, member: string, body: readonly unknown[]) => {
    const row = table.signals[member] as SignalRow;
    bus.emit({ path, interface: table.name, member, signature: outSignature(row.args), body });
  };
  return {
    emit: (path, [table, member], values) => send(path, table, member, values),
    emitChanged: (path, face, values) => {
      const rows = face.table.properties;
      const changed = Object.entries(values)
        .filter(([name]) => rows[name]?.emits === "true")
        .map(([name, value]) => [name, { signature: rows[name]?.type, value }]);
      if (changed.length === 0) return;
      send(path, PROPERTIES, "PropertiesChanged", [face.table.name, Object.fromEntries(changed), []]);
    },
    emitAdded: (path, faces, entity) => {
      send(root, OBJECT_MANAGER, "InterfacesAdded", [
        path,
        interfaceValues(faces as Face<unknown>[], entity),
      ]);
    },
    emitRemoved: (path, faces) => {
      send(root, OBJECT_MANAGER, "InterfacesRemoved", [path, faces.map((face) => face.table.name)]);
    },
  };
}

/** Begins to serve; calls that arrive before the name is owned are answered too. */
export function serve(options: ServiceOptions): Service {
  const state: State = { options, standard: standardFaces(options), parsers: new Map(), senders: new Map() };
  options.bus.serve({
    signatureOf: (head) => signatureOf(state, head),
    handle: (call) => void answer(state, call),
  });
  return { inFlight: () => inFlight(state) };
}

type State = {
  readonly options: ServiceOptions;
  readonly standard: { readonly node: Face<Node>[]; readonly root: Face<Node>[] };
  readonly parsers: Map<MethodRow, (body: readonly unknown[]) => object>;
  /** Unanswered calls by sender. */
  readonly senders: Map<string, number>;
};

type Target = { readonly member: string; readonly row: MethodRow } & (
  | { readonly face: Face<unknown>; readonly place: Place }
  | { readonly face: Face<Node>; readonly place: Place | undefined; readonly standard: true }
);

function standardFaces({ tree, root }: ServiceOptions): State["standard"] {
  return { node: nodeFaces(tree, root), root: [objectManagerFace(tree)] };
}

function inFlight(state: State): number {
  return [...state.senders.values()].reduce((sum, count) => sum + count, 0);
}

function signatureOf(state: State, head: CallHead): string | undefined {
  try {
    return inSignature(findTarget(state, head).row);
  } catch {
    return undefined;
  }
}

async function answer(state: State, call: IncomingCall): Promise<void> {
  const { bus, onFailure, onIdle } = state.options;
  state.options.onCall?.(call);
  const count = state.senders.get(call.sender) ?? 0;
  state.senders.set(call.sender, count + 1);
  const silent = (call.flags & NO_REPLY_EXPECTED) !== 0;
  try {
    const result = await perform(state, call, count);
    if (!silent) bus.reply(call, result);
  } catch (error) {
    if (isUnforeseen(error)) onFailure(error, call);
    if (!silent) bus.fail(call, errorReply(error));
  } finally {
    release(state, call.sender);
    onIdle();
  }
}

function release(state: State, sender: string): void {
  const left = (state.senders.get(sender) ?? 1) - 1;
  if (left > 0) state.senders.set(sender, left);
  else state.senders.delete(sender);
}

async function perform(
  state: State,
  call: IncomingCall,
  unanswered: number,
): Promise<{ signature: string; body: readonly unknown[] }> {
  if (unanswered >= state.options.maxPerSender) {
    throw new BusError("LimitsExceeded", `More than ${unanswered} calls are unanswered.`);
  }
  const target = findTarget(state, call);
  const args = parseArguments(state, target, call);
  const entity = await findEntity(state, target, call.path);
  const result = await runMethod(state.options, { target, entity, args }, call);
  return { signature: outSignature(target.row.out), body: resultBody(target.row, result) };
}

/** sd-bus's order of refusals: no such object, no such interface, no such method. */
function findTarget(state: State, head: CallHead): Target {
  const place = placeAt(state.options.tree, head.path);
  const own = (place?.faces ?? []).map((face) => ({ face, place: place as Place }));
  const standard = standardAt(state, head.path, place).map((face) => ({
    face,
    place,
    standard: true as const,
  }));
  const all = [...own, ...standard];
  const named =
    head.interface === undefined ? all : all.filter(({ face }) => face.table.name === head.interface);
  if (named.length === 0)
    throw place === undefined ? unknownObject(head.path) : unknownInterface(head.interface ?? "");
  for (const found of named) {
    const { methods } = found.face.table;
    const row = Object.hasOwn(methods, head.member) ? methods[head.member] : undefined;
    if (row !== undefined) return { ...found, member: head.member, row };
  }
  throw new BusError("UnknownMethod", `Unknown method ${head.member}.`);
}

function standardAt(state: State, path: string, place: Place | undefined): Face<Node>[] {
  const { node, root } = state.standard;
  const properties = place === undefined ? [] : [PROPERTIES_FACE];
  return [...node, ...properties, ...(path === state.options.root ? root : [])];
}

function parseArguments(state: State, { row }: Target, call: IncomingCall): object {
  const expected = inSignature(row);
  if (call.refused || call.signature !== expected) {
    throw new BusError("InvalidArgs", `${call.member} takes "${expected}", at most 256 KiB of it.`);
  }
  const parse = state.parsers.get(row) ?? argumentParser(row);
  state.parsers.set(row, parse);
  return parse(call.body);
}

/** The entity a handler works on; for the standard interfaces the node itself. */
async function findEntity(state: State, target: Target, path: string): Promise<unknown> {
  const { place } = target;
  const entity = await place?.find();
  if (!("standard" in target)) return entity ?? missing(path);
  const isNode = entity !== undefined || (await childrenOf(state.options.tree, path)) !== undefined;
  if (!isNode) throw unknownObject(path);
  return { path, faces: entity === undefined ? [] : (place?.faces ?? []), entity } satisfies Node;
}

type Invocation = { readonly target: Target; readonly entity: unknown; readonly args: object };

async function runMethod(
  options: ServiceOptions,
  invocation: Invocation,
  from: IncomingCall,
): Promise<unknown> {
  const { target, entity, args } = invocation;
  const face = target.face as Face<unknown>;
  const call: Call = {
    sender: from.sender,
    interactive: (from.flags & ALLOW_INTERACTIVE_AUTHORIZATION) !== 0,
  };
  const handled = await face.handle(target.member, entity, args, call);
  const { action, delegated } = target.row;
  if (action === undefined && delegated === undefined) return handled;
  return await runErrand(options, action === undefined ? [] : [action], { handled, call });
}

type Handled = { readonly handled: unknown; readonly call: Call };

async function runErrand(
  options: ServiceOptions,
  actions: readonly string[],
  { handled, call }: Handled,
): Promise<unknown> {
  const { demand, run } = handled as Errand<unknown>;
  for (const needed of demand === undefined ? [] : [...actions, ...(demand.further ?? [])]) {
    await options.authorize(needed, demand as Demand, call);
  }
  return await run();
}

function resultBody(row: MethodRow, result: unknown): readonly unknown[] {
  if (row.out.length === 0) return [];
  return row.out.length === 1 ? [result] : (result as readonly unknown[]);
}

function missing(path: string): never {
  throw unknownObject(path);
}

function unknownObject(path: string): BusError {
  return new BusError("UnknownObject", `Unknown object ${path.slice(0, 255)}.`);
}
