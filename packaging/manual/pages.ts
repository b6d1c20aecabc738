/** All manual pages. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { compress } from "../compress.ts";
import { agentPage } from "./agent.ts";
import { busPage } from "./bus.ts";
import { gantryPage } from "./gantry.ts";
import { podManifestPage } from "./pod-manifest.ts";
import { registriesPage } from "./registries.ts";
import { type Page, pageText } from "./roff.ts";
import { trustPolicyPage } from "./trust-policy.ts";

export async function allPages(): Promise<Page[]> {
  return [await gantryPage(), podManifestPage(), registriesPage(), trustPolicyPage(), busPage(), agentPage()];
}

/** Writes every page below `directory` as man(1) looks for it: man1/gantry.1.gz. */
export async function writePages(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  for (const page of await allPages()) {
    const folder = join(directory, `man${page.section}`);
    await mkdir(folder, { recursive: true });
    const text = compress(pageText(page, manifest.version));
    await writeFile(join(folder, `${page.name}.${page.section}.gz`), text);
  }
}
