/**
 * `npm run bench`: Gantry beside plain services of systemd and podman, in one test host. Table and build/bench.json.
 *
 *   test/bench/main.ts [--cgroups=hybrid|unified] [PART…]
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BUILD, type CgroupMode } from "../host/machine.ts";
import { measureAgent } from "./agent.ts";
import { measureCommands } from "./commands.ts";
import { measureDensity } from "./density.ts";
import { measureExtraction } from "./extraction.ts";
import { measureFetch } from "./fetch.ts";
import { measureFootprint } from "./footprint.ts";
import { measureInstalled } from "./installed.ts";
import { isMet, type Row, renderTable } from "./row.ts";
import { must, prepareSetting, type Setting } from "./setting.ts";
import { measureStartUp } from "./start-up.ts";
import { measureTrust } from "./trust.ts";
import { measureVerification } from "./verification.ts";

const PARTS: Readonly<Record<string, (setting: Setting) => Promise<Row[]>>> = {
  "start-up": measureStartUp,
  commands: measureCommands,
  installed: measureInstalled,
  trust: measureTrust,
  footprint: measureFootprint,
  agent: measureAgent,
  density: measureDensity,
  extraction: measureExtraction,
  verification: measureVerification,
  fetch: measureFetch,
};

/** What the numbers depend on. */
async function describe({ host }: Setting): Promise<Record<string, string>> {
  const ask = async (script: string): Promise<string> => (await must(host, script)).replaceAll("\n", " ");
  return {
    systemd: await ask("systemctl --version | head -n1"),
    kernel: await ask("uname -r"),
    processors: await ask("nproc"),
    cgroups: await ask("test -d /sys/fs/cgroup/systemd && echo hybrid || echo unified"),
    data: await ask("stat -f -c %T /var/lib/gantry"),
    podman: await ask(
      "podman --version; crun --version | head -n1; podman info -f '{{.Host.CgroupManager}}, {{.Store.GraphDriverName}}'",
    ),
    node: process.version,
    load: await ask("cut -d' ' -f1-3 /proc/loadavg"),
  };
}

async function main(): Promise<number> {
  const options = { cgroups: { type: "string" } } as const;
  const { values, positionals: chosen } = parseArgs({ options, allowPositionals: true });
  const setting = await prepareSetting(values.cgroups as CgroupMode | undefined);
  await using _host = setting.host;
  const environment = await describe(setting);
  for (const [key, value] of Object.entries(environment)) console.log(`${key}: ${value}`);
  const rows: Row[] = [];
  for (const [name, measure] of Object.entries(PARTS)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    console.log(`measuring: ${name}`);
    rows.push(...(await measure(setting)));
  }
  console.log(`\n${renderTable(rows)}`);
  const result = { environment, rows: rows.map((row) => ({ ...row, met: isMet(row) ?? null })) };
  await writeFile(join(BUILD, "bench.json"), `${JSON.stringify(result, null, 2)}\n`);
  console.log("\nbuild/bench.json");
  return rows.every((row) => isMet(row) !== false) ? 0 : 1;
}

process.exitCode = await main();
