/** Introspection data of interface tables: for `Introspect` calls, and as the XML files that are installed. */
import {
  type Argument,
  type InterfaceTable,
  inArguments,
  type MethodRow,
  type PropertyRow,
} from "./table.ts";

const DOCTYPE =
  '<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"\n' +
  ' "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">\n';

/** The answer to Introspect: the interfaces of an object and the labels of its children. */
export function introspectionOf(tables: readonly InterfaceTable[], children: readonly string[]): string {
  const nodes = children.map((label) => ` <node name="${label}"/>\n`);
  return `${DOCTYPE}<node>\n${tables.map((table) => interfaceXml(table, "plain")).join("")}${nodes.join("")}</node>\n`;
}

/** The installed description of one interface, with its documentation as comments. */
export function installedXml(table: InterfaceTable): string {
  return `${DOCTYPE}<node>\n${interfaceXml(table, "documented")}</node>\n`;
}

type Style = "plain" | "documented";

function interfaceXml(table: InterfaceTable, style: Style): string {
  const parts = [
    ...Object.entries(table.methods).map(([name, row]) => comment(row, style, "  ") + methodXml(name, row)),
    ...Object.entries(table.properties).map(
      ([name, row]) => comment(row, style, "  ") + propertyXml(name, row),
    ),
    ...Object.entries(table.signals).map(
      ([name, row]) =>
        `${comment(row, style, "  ")}  <signal name="${name}">\n${argumentsXml(row.args)}  </signal>\n`,
    ),
  ];
  const head = style === "documented" ? ` <!-- ${table.doc} -->\n` : "";
  return `${head} <interface name="${table.name}">\n${parts.join("")} </interface>\n`;
}

function comment(row: MethodRow | { doc: string; since: string }, style: Style, indent: string): string {
  if (style === "plain") return "";
  const options = "options" in row ? Object.entries(row.options ?? {}) : [];
  const lines = [`${row.doc} Since ${row.since}.`];
  for (const [key, [signature, doc]] of options) lines.push(`Option ${key} (${signature}): ${doc}`);
  if ("action" in row && row.action !== undefined) lines.push(`polkit action: ${row.action}`);
  return `${indent}<!-- ${lines.join(`\n${indent}     `)} -->\n`;
}

function methodXml(name: string, row: MethodRow): string {
  const privileged =
    row.action === undefined ? "" : annotation("org.freedesktop.systemd1.Privileged", "true");
  return `  <method name="${name}">\n${privileged}${argumentsXml(inArguments(row), "in")}${argumentsXml(row.out, "out")}  </method>\n`;
}

function propertyXml(name: string, row: PropertyRow): string {
  const emits = annotation("org.freedesktop.DBus.Property.EmitsChangedSignal", row.emits);
  const access = row.write === undefined ? "read" : "readwrite";
  return `  <property name="${name}" type="${row.type}" access="${access}">\n${emits}  </property>\n`;
}

function argumentsXml(args: readonly Argument[], direction?: "in" | "out"): string {
  const attribute = direction === undefined ? "" : ` direction="${direction}"`;
  return args
    .map(([signature, name]) => `   <arg type="${signature}" name="${name}"${attribute}/>\n`)
    .join("");
}

function annotation(name: string, value: string): string {
  return `   <annotation name="${name}" value="${value}"/>\n`;
}
