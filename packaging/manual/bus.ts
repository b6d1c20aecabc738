/** org.gantry1(5), from the interface tables. */
import { busName, ERROR_KINDS, type ErrorKind } from "../../src/base/errors.ts";
import { type Argument, type InterfaceTable, inArguments, type MethodRow } from "../../src/bus/table.ts";
import { TABLES } from "../../src/interface/tables.ts";
import { meaningOf } from "./errors.ts";
import {
  item,
  itemLines,
  literal,
  nameSection,
  type Page,
  paragraph,
  type Roff,
  section,
  subsection,
} from "./roff.ts";

export function busPage(): Page {
  const body = [
    nameSection("org.gantry1", "the D-Bus interface of gantry-agent"),
    section(
      "DESCRIPTION",
      paragraph(
        "gantry-agent(8) owns `org.gantry1` on the system bus. `/org/gantry1` is the Manager, with org.freedesktop.DBus.ObjectManager beside it; pods, apps, images and operations are objects below `/org/gantry1/pod`, `app`, `image` and `operation`. A published signature never changes: what a method learns later is a new key of its options, and a key that is not listed is an error.",
      ),
      paragraph(
        "Long work returns an operation at once. Who wants to follow it subscribes to its properties before it looks at them; it stays for 30 seconds after its end.",
      ),
    ),
    ...TABLES.map(interfaceSection),
    section(
      "ERRORS",
      paragraph(
        "Whom polkit refuses gets `org.freedesktop.DBus.Error.AccessDenied`, or `InteractiveAuthorizationRequired` where a password would help and the call does not allow for the question. Calls that fit no object, member or signature get the other standard names, and more than a client may have unanswered `LimitsExceeded`. Everything else is one of these, with a sentence that names the object:",
      ),
      ...(Object.keys(ERROR_KINDS) as ErrorKind[]).map(errorItem),
    ),
    section(
      "EXAMPLES",
      paragraph("What there is, and what an object offers:"),
      literal([
        "busctl call org.gantry1 /org/gantry1 org.gantry1.Manager ListPods",
        "busctl introspect org.gantry1 /org/gantry1",
      ]),
      paragraph(
        "A method that takes options, `a{sv}`, wants their number, and each as its key, type and value:",
      ),
      literal([
        "busctl call org.gantry1 /org/gantry1 org.gantry1.Manager StopPod 'sa{sv}' web 0",
        "busctl call org.gantry1 /org/gantry1 org.gantry1.Manager FetchImage 'sa{sv}' \\",
        "  oci:/srv/web:1 1 insecure as 1 image",
      ]),
      paragraph(
        "Both answer with the object of an operation, which tells how far it is, what came of it, and why it failed:",
      ),
      literal([
        "busctl get-property org.gantry1 /org/gantry1/operation/ID org.gantry1.Operation \\",
        "  Phase Progress Result Error",
      ]),
    ),
    section("SEE ALSO", paragraph("gantry-agent(8), gantry(1), busctl(1)")),
  ];
  return { name: "org.gantry1", section: 5, body };
}

function interfaceSection(table: InterfaceTable): Roff {
  const methods = Object.entries(table.methods).map(([name, row]) => methodItem(name, row));
  const properties = Object.entries(table.properties).map(([name, row]) =>
    item(`${name} (${row.type})`, `${row.doc} ${EMITS[row.emits]} Since ${row.since}.`),
  );
  const signals = Object.entries(table.signals).map(([name, row]) =>
    item(`${name}(${argumentList(row.args)})`, `${row.doc} Since ${row.since}.`),
  );
  return section(
    `"INTERFACE ${table.name}"`,
    paragraph(table.doc),
    titled("Methods", methods),
    titled("Properties", properties),
    titled("Signals", signals),
  );
}

const EMITS = {
  true: "Changes are signalled.",
  const: "Never changes.",
  false: "Changes are not signalled.",
};

function titled(title: string, items: readonly Roff[]): Roff {
  return items.length === 0 ? "" : subsection(title, ...items);
}

function methodItem(name: string, row: MethodRow): Roff {
  const results = row.out.length === 0 ? "" : ` -> ${argumentList(row.out)}`;
  const options = Object.entries(row.options ?? {}).map(
    ([key, [signature, doc]]) => `Option \`${key}\` (${signature}): ${doc}`,
  );
  const action = row.action === undefined ? [] : [`polkit action: ${row.action}.`];
  const lines = [`${row.doc} Since ${row.since}.`, ...options, ...action];
  return itemLines(`${name}(${argumentList(inArguments(row))})${results}`, lines);
}

function argumentList(args: readonly Argument[]): string {
  return args.map(([signature, name]) => `${signature} ${name}`).join(", ");
}

function errorItem(kind: ErrorKind): Roff {
  const { exit, retryable } = ERROR_KINDS[kind];
  const again = retryable ? " Trying again may help." : "";
  return item(busName(kind), `${meaningOf(kind)} gantry(1) exits with ${exit}.${again}`);
}
