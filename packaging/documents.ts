/** /usr/share/doc/gantry: the changelog as Debian wants it, and every licence of what is in the package. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compress } from "./compress.ts";
import { runtimeLicence } from "./runtime.ts";

export type Subject = { readonly version: string; readonly runtime: boolean };

export async function writeDocuments(directory: string, subject: Subject): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "changelog.gz"), compress(changelog(subject)));
  await writeFile(join(directory, "copyright"), await copyright(subject));
}

function changelog({ version }: Subject): string {
  const date = new Date(Number(process.env["SOURCE_DATE_EPOCH"]) * 1000)
    .toUTCString()
    .replace("GMT", "+0000");
  return `gantry (${version}) stable; urgency=medium

  * Release ${version}; CHANGELOG.md of the sources tells what is new.

 -- Gantry developers <developers@gantry.example>  ${date}
`;
}

/** Gantry's licence, then that of each package inside of the scripts, then the runtime's. */
async function copyright({ runtime }: Subject): Promise<string> {
  const parts = [
    `Gantry\n\n${APACHE}`,
    ...(await Promise.all((await bundledPackages()).map(packageLicence))),
    ...(runtime ? [`Node.js ${process.version}, /usr/lib/gantry/node\n\n${await runtimeLicence()}`] : []),
  ];
  return `${parts.map((part) => part.trim()).join(`\n\n${"-".repeat(72)}\n\n`)}\n`;
}

const APACHE = `Licensed under the Apache License, Version 2.0. On Debian systems its text is in
/usr/share/common-licenses/Apache-2.0.`;

/** Names of the packages that packaging/bundle.ts has put into the bundles. */
async function bundledPackages(): Promise<string[]> {
  return JSON.parse(await readFile("build/bundle/packages.json", "utf8"));
}

/** Some packages have no file of their own for it: then what their package.json says must do. */
async function packageLicence(name: string): Promise<string> {
  const directory = join("node_modules", name);
  const manifest: unknown = JSON.parse(await readFile(join(directory, "package.json"), "utf8"));
  const { version, license } = manifest as { readonly version: string; readonly license?: string };
  const texts = await Promise.all(
    ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "license"].map((file) =>
      readFile(join(directory, file), "utf8").catch(() => ""),
    ),
  );
  return `${name} ${version}, inside of /usr/lib/gantry/*.cjs\n\n${texts.find((text) => text !== "") ?? license ?? ""}`;
}
