/** The tables of org.gantry1 against everything that is installed of them. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { installedXml } from "../../../src/bus/introspection.ts";
import { schemaOf } from "../../../src/bus/schema.ts";
import { inArguments } from "../../../src/bus/table.ts";
import { ACTIONS } from "../../../src/interface/actions.ts";
import { BUS_NAME, TABLES } from "../../../src/interface/tables.ts";

const INTERFACES = "packaging/dbus/interfaces";
const POLICY = readFileSync("packaging/polkit/org.gantry1.policy", "utf8");

for (const table of TABLES) {
  test(`interface: ${table.name}.xml is what the table says (npx tsx packaging/interfaces.ts)`, () => {
    assert.equal(readFileSync(`${INTERFACES}/${table.name}.xml`, "utf8"), installedXml(table));
  });

  test(`interface: every signature of ${table.name} can be checked and sent`, () => {
    for (const row of Object.values(table.methods)) {
      for (const [signature] of [...inArguments(row), ...row.out]) schemaOf(signature);
    }
    for (const row of Object.values(table.properties)) schemaOf(row.type);
  });
}

test("interface: nothing else is installed", () => {
  const names = TABLES.map((table) => `${table.name}.xml`).sort();
  assert.deepEqual(readdirSync(INTERFACES).sort(), names);
});

test("interface: the documentation is fit for XML comments", () => {
  for (const file of readdirSync(INTERFACES)) {
    const text = readFileSync(`${INTERFACES}/${file}`, "utf8");
    const comments = [...text.matchAll(/<!--(.*?)-->/gs)].map((match) => match[1] ?? "");
    assert.ok(comments.length > 1);
    assert.deepEqual(
      comments.filter((comment) => comment.includes("--")),
      [],
    );
  }
});

test("interface: the bus policy lets everybody send to every interface, and only root own the name", () => {
  const policy = readFileSync("packaging/dbus/org.gantry1.conf", "utf8");
  const allowed = [...policy.matchAll(/send_interface="(org\.gantry1\.\w+)"/g)].map((match) => match[1]);
  assert.deepEqual(allowed.sort(), TABLES.map((table) => table.name).sort());
  assert.match(policy, /<policy user="root">\s*<allow own="org\.gantry1"\/>\s*<\/policy>/);
  assert.equal([...policy.matchAll(/ own=/g)].length, 1);
});

test("interface: polkit knows every action, by default an administrator's, and no other", () => {
  const known = [...POLICY.matchAll(/<action id="([^"]+)">/g)].map((match) => match[1]);
  assert.deepEqual(known.sort(), Object.values(ACTIONS).sort());
  const defaults = [...POLICY.matchAll(/<allow_\w+>(\w+)<\//g)].map((match) => match[1]);
  assert.equal(defaults.length, known.length * 3);
  assert.ok(defaults.every((value) => value === "auth_admin" || value === "auth_admin_keep"));
});

test("interface: what lowers a guard is asked for each time", () => {
  const skip = /<action id="org\.gantry1\.image\.skip-verification">.*?<\/action>/s.exec(POLICY)?.[0] ?? "";
  assert.match(skip, /auth_admin/);
  assert.doesNotMatch(skip, /keep/);
});

test("interface: every method that changes something has an action", () => {
  const free = TABLES.flatMap((table) =>
    Object.entries(table.methods).flatMap(([name, row]) => (row.action === undefined ? [name] : [])),
  );
  assert.ok(
    free.every((name) => /^(List|Get|Describe|Inspect|Explain|Subscribe|Unsubscribe)/.test(name)),
    String(free),
  );
});

test("interface: the unit, its alias and the activation file agree", () => {
  const unit = readFileSync("units/gantry-agent.service", "utf8");
  const activation = readFileSync(`packaging/dbus/${BUS_NAME}.service`, "utf8");
  const installation = readFileSync("packaging/install-tree.sh", "utf8");
  const alias = /^SystemdService=(.*)$/m.exec(activation)?.[1];
  assert.equal(alias, `dbus-${BUS_NAME}.service`);
  assert.match(installation, /^ln -sfn gantry-agent\.service ".*\/dbus-org\.gantry1\.service"$/m);
  assert.equal(/^BusName=(.*)$/m.exec(unit)?.[1], BUS_NAME);
  assert.equal(/^Name=(.*)$/m.exec(activation)?.[1], BUS_NAME);
});
