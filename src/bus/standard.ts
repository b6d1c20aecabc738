/** The standard interfaces, as tables like any other: Peer, Introspectable, Properties, ObjectManager. */
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { BusError } from "./errors.ts";
import { introspectionOf } from "./introspection.ts";
import { childrenOf, type Errand, type Face, implement, type ObjectTree, objectPath } from "./objects.ts";
import { schemaOf } from "./schema.ts";
import type { Variant } from "./signature.ts";
import { defineInterface, type InterfaceTable } from "./table.ts";

const SINCE = "0.1";

export const PEER = defineInterface({
  name: "org.freedesktop.DBus.Peer",
  doc: "Whether the service answers.",
  methods: {
    Ping: { doc: "Does nothing.", since: SINCE, in: [], out: [] },
    GetMachineId: { doc: "The machine's id.", since: SINCE, in: [], out: [["s", "machine_uuid"]] },
  },
  properties: {},
  signals: {},
});

export const INTROSPECTABLE = defineInterface({
  name: "org.freedesktop.DBus.Introspectable",
  doc: "What an object offers.",
  methods: { Introspect: { doc: "The description.", since: SINCE, in: [], out: [["s", "xml_data"]] } },
  properties: {},
  signals: {},
});

export const PROPERTIES = defineInterface({
  name: "org.freedesktop.DBus.Properties",
  doc: "An object's properties.",
  methods: {
    Get: {
      doc: "The value of one property.",
      since: SINCE,
      in: [
        ["s", "interface_name"],
        ["s", "property_name"],
      ],
      out: [["v", "value"]],
    },
    GetAll: {
      doc: "The values of all properties of an interface.",
      since: SINCE,
      in: [["s", "interface_name"]],
      out: [["a{sv}", "props"]],
    },
    Set: {
      doc: "Sets a property.",
      since: SINCE,
      delegated: true,
      in: [
        ["s", "interface_name"],
        ["s", "property_name"],
        ["v", "value"],
      ],
      out: [],
    },
  },
  properties: {},
  signals: {
    PropertiesChanged: {
      doc: "Properties have changed.",
      since: SINCE,
      args: [
        ["s", "interface_name"],
        ["a{sv}", "changed_properties"],
        ["as", "invalidated_properties"],
      ],
    },
  },
});

export const OBJECT_MANAGER = defineInterface({
  name: "org.freedesktop.DBus.ObjectManager",
  doc: "All objects at once.",
  methods: {
    GetManagedObjects: {
      doc: "Every object with its interfaces and properties.",
      since: SINCE,
      in: [],
      out: [["a{oa{sa{sv}}}", "objects"]],
    },
  },
  properties: {},
  signals: {
    InterfacesAdded: {
      doc: "An object has appeared.",
      since: SINCE,
      args: [
        ["o", "object"],
        ["a{sa{sv}}", "interfaces"],
      ],
    },
    InterfacesRemoved: {
      doc: "An object has gone.",
      since: SINCE,
      args: [
        ["o", "object"],
        ["as", "interfaces"],
      ],
    },
  },
});

type Values = Readonly<Record<string, Variant>>;

/** A path that is asked for what every node answers: the object there, if there is one, and its own interfaces. */
export type Node = {
  readonly path: string;
  readonly faces: readonly Face<unknown>[];
  readonly entity: unknown;
};

const NO_PROPERTIES = () => ({});

/** The interfaces every existing path has, parents of objects included; at `root` there is an ObjectManager, too. */
export function nodeFaces(tree: ObjectTree, root: string): Face<Node>[] {
  return [
    implement(PEER, {
      methods: { Ping: () => undefined, GetMachineId: machineId },
      properties: NO_PROPERTIES,
    }),
    implement(INTROSPECTABLE, {
      methods: { Introspect: (node: Node) => introspect(tree, root, node) },
      properties: NO_PROPERTIES,
    }),
  ];
}

/** Properties with sd-bus's rules: one that exists but cannot be written answers PropertyReadOnly. */
export const PROPERTIES_FACE: Face<Node> = implement(PROPERTIES, {
  methods: {
    Get: (node: Node, args) => {
      const face = faceNamed(node, args.interface_name);
      const values = face === undefined ? {} : propertyValues(face, node.entity);
      const value = Object.hasOwn(values, args.property_name) ? values[args.property_name] : undefined;
      if (value === undefined) throw unknownProperty(args.property_name);
      return value;
    },
    GetAll: (node: Node, args) => {
      if (args.interface_name === "") {
        return Object.assign({}, ...node.faces.map((face) => propertyValues(face, node.entity))) as Values;
      }
      const face = faceNamed(node, args.interface_name);
      if (face === undefined) throw unknownInterface(args.interface_name);
      return propertyValues(face, node.entity);
    },
    Set: (node: Node, args) => setProperty(node, args),
  },
  properties: NO_PROPERTIES,
});

type Setting = {
  readonly interface_name: string;
  readonly property_name: string;
  readonly value: Variant;
};

/** Checks everything that can be known before the caller is authorized for the property's own action. */
function setProperty(node: Node, { interface_name, property_name, value }: Setting): Errand<undefined> {
  const face = faceNamed(node, interface_name);
  const rows = face?.table.properties ?? {};
  const row = Object.hasOwn(rows, property_name) ? rows[property_name] : undefined;
  if (face === undefined || row === undefined) throw unknownProperty(property_name);
  if (row.write === undefined) {
    throw new BusError("PropertyReadOnly", `Property ${property_name} cannot be written.`);
  }
  if (value.signature !== row.type) {
    throw new BusError("InvalidArgs", `Property ${property_name} is of type "${row.type}".`);
  }
  const parsed = schemaOf(row.type).safeParse(value.value);
  const errand = parsed.success ? face.write(property_name, node.entity, parsed.data) : undefined;
  if (errand === undefined) throw new BusError("InvalidArgs", `Property ${property_name} has no such value.`);
  const { details = {} } = errand.demand ?? {};
  return { demand: { details, further: [row.write] }, run: errand.run };
}

export function objectManagerFace(tree: ObjectTree): Face<Node> {
  return implement(OBJECT_MANAGER, {
    methods: { GetManagedObjects: () => managedObjects(tree) },
    properties: NO_PROPERTIES,
  });
}

/** The properties of one interface of an object, each with its signature. */
export function propertyValues(face: Face<unknown>, entity: unknown): Values {
  const values = face.properties(entity);
  const rows = Object.entries(face.table.properties);
  return Object.fromEntries(rows.map(([name, row]) => [name, { signature: row.type, value: values[name] }]));
}

/** All interfaces of an object with their properties, as ObjectManager tells them. */
export function interfaceValues(faces: readonly Face<unknown>[], entity: unknown): Record<string, Values> {
  return Object.fromEntries(faces.map((face) => [face.table.name, propertyValues(face, entity)]));
}

async function managedObjects(tree: ObjectTree): Promise<Record<string, Record<string, Values>>> {
  const lists = await Promise.all(
    tree.collections.map(async ({ prefix, faces, list }) =>
      [...(await list())].map(([name, entity]) => [objectPath(prefix, name), interfaceValues(faces, entity)]),
    ),
  );
  return Object.fromEntries(lists.flat());
}

async function introspect(tree: ObjectTree, root: string, node: Node): Promise<string> {
  const own: InterfaceTable[] = node.faces.map((face) => face.table);
  const standard = [
    ...[PEER, INTROSPECTABLE],
    ...(own.length > 0 ? [PROPERTIES] : []),
    ...(node.path === root ? [OBJECT_MANAGER] : []),
  ];
  return introspectionOf([...standard, ...own], (await childrenOf(tree, node.path)) ?? []);
}

async function machineId(): Promise<string> {
  try {
    return (await readFile("/etc/machine-id", "utf8")).trim();
  } catch {
    throw new BusError("UnknownObject", `Host ${hostname()} has no machine id.`);
  }
}

function faceNamed(node: Node, name: string): Face<unknown> | undefined {
  return node.faces.find((face) => face.table.name === name);
}

export function unknownInterface(name: string): BusError {
  return new BusError("UnknownInterface", `Unknown interface ${name.slice(0, 255)}.`);
}

function unknownProperty(name: string): BusError {
  return new BusError("UnknownProperty", `Unknown property ${name.slice(0, 255)}.`);
}
