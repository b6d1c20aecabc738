/** Calls from the other side of an interface table: arguments and results have the types that the table gives them. */
import type { Bus } from "./connection.ts";
import { parseType, type Variant } from "./signature.ts";
import {
  type ArgumentsOf,
  type InterfaceTable,
  inArguments,
  inSignature,
  type MethodRow,
  type OptionRows,
  type PropertiesOf,
  type ResultOf,
} from "./table.ts";
import { wireBody } from "./wire.ts";

const ALLOW_INTERACTIVE_AUTHORIZATION = 0x4;

/** An object of a service. */
export type Peer = {
  readonly bus: Bus;
  readonly destination: string;
  readonly path: string;
  /** Milliseconds that a person may take to prove who he is; without it nobody is asked. */
  readonly patience?: number;
};

/** Throws BusFailure, SystemdFailed, TimedOut. */
export async function callMethod<T extends InterfaceTable, M extends keyof T["methods"] & string>(
  peer: Peer,
  [table, member]: readonly [table: T, member: M],
  args: ArgumentsOf<T["methods"][M]>,
): Promise<ResultOf<T["methods"][M]>> {
  const row = table.methods[member] as MethodRow;
  const signature = inSignature(row);
  const reply = await peer.bus.call({
    ...{ destination: peer.destination, path: peer.path, interface: table.name, member, signature },
    body: wireBody(signature, argumentList(row, args as Readonly<Record<string, unknown>>)),
    ...(peer.patience === undefined
      ? {}
      : { flags: ALLOW_INTERACTIVE_AUTHORIZATION, timeout: peer.patience }),
  });
  const [first] = reply.body;
  return (row.out.length < 2 ? first : reply.body) as ResultOf<T["methods"][M]>;
}

/** All properties that an interface has at an object. */
export async function readProperties<T extends InterfaceTable>(
  peer: Peer,
  table: T,
): Promise<PropertiesOf<T>> {
  const reply = await peer.bus.call({
    ...{ destination: peer.destination, path: peer.path, interface: "org.freedesktop.DBus.Properties" },
    ...{ member: "GetAll", signature: "s", body: [table.name] },
  });
  const values = Object.entries(reply.body[0] as Readonly<Record<string, Variant>>);
  return Object.fromEntries(values.map(([name, variant]) => [name, variant.value])) as PropertiesOf<T>;
}

function argumentList(row: MethodRow, args: Readonly<Record<string, unknown>>): unknown[] {
  return inArguments(row).map(([, name]) =>
    name === "options" && row.options !== undefined ? optionVariants(row.options, args[name]) : args[name],
  );
}

function optionVariants(rows: OptionRows, given: unknown): Record<string, Variant> {
  const set = Object.entries((given ?? {}) as object).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    set.map(([key, value]) => {
      const signature = rows[key]?.[0] ?? "";
      parseType(signature);
      return [key, { signature, value }];
    }),
  );
}
