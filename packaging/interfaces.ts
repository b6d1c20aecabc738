/** Writes packaging/dbus/interfaces/*.xml, what is installed of the tables in src/interface. */
import { mkdir, writeFile } from "node:fs/promises";
import { installedXml } from "../src/bus/introspection.ts";
import { TABLES } from "../src/interface/tables.ts";

const DIRECTORY = "packaging/dbus/interfaces";

await mkdir(DIRECTORY, { recursive: true });
for (const table of TABLES) await writeFile(`${DIRECTORY}/${table.name}.xml`, installedXml(table));
