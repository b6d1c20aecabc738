/**
 * Bundles each process in TypeScript and the packages it uses: for the command, the agent, the fetcher and the verifier a
 * loader, such as build/bundle/cli.cjs, that loads the code, cli-code.cjs, with its code cache. The journal addon lies
 * beside them.
 */
import { copyFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type BuildOptions, type BuildResult, build, type Plugin } from "esbuild";
import { rehearse } from "./rehearsals.ts";

const OUT = "build/bundle";
const ADDON = "journal_send.node";

/** systemd-journald looks for its addon in its own build folder; installed, it lies beside the bundle. */
const addonBesideBundle: Plugin = {
  name: "addon-beside-bundle",
  setup(build) {
    build.onResolve({ filter: /\/journal_send\.node$/ }, () => ({ path: `./${ADDON}`, external: true }));
  },
};

const OPTIONS = {
  metafile: true,
  outdir: OUT,
  outExtension: { ".js": ".cjs" },
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  // Comments and blanks are bytes that Node reads at every start. Names stay as they are: traces are read by people.
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: "external",
  legalComments: "none",
  // dbus-next asks for it only to find a session bus through X11.
  external: ["x11"],
  alias: {
    xml2js: "./packaging/xml2js/index.cjs",
    // Its ES module asks for its own URL, which a CommonJS bundle has none of.
    openpgp: "./node_modules/openpgp/dist/node/openpgp.min.cjs",
  },
  plugins: [addonBesideBundle],
  logLevel: "warning",
} as const satisfies BuildOptions;

/** The packages in what was built, whose licences go into the Debian package. */
function packagesOf(results: readonly BuildResult<{ metafile: true }>[]): string[] {
  const outputs = results.flatMap(({ metafile }) => Object.values(metafile.outputs));
  const inputs = outputs.flatMap(({ inputs }) => Object.keys(inputs));
  const names = inputs.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []);
  return [...new Set(names)].sort();
}

const LOADED = ["agent", "cli", "fetcher", "verifier"];
const perProgram = (path: (name: string) => readonly [string, string]) =>
  Object.fromEntries(LOADED.map((name) => path(name)));

const built = [
  await build({ ...OPTIONS, entryPoints: perProgram((name) => [name, "src/cli/loader.ts"]) }),
  await build({
    ...OPTIONS,
    entryPoints: perProgram((name) => [`${name}-code`, `src/${name}/main.ts`]),
    // openpgp.js asks for its file's name.
    banner: { js: '(function (require, module, __dirname) { const __filename = __dirname + "/code.cjs";' },
    footer: { js: "})" },
  }),
];
await writeFile(join(OUT, "packages.json"), JSON.stringify(packagesOf(built)));
await rehearse(resolve(OUT));
await copyFile(`node_modules/systemd-journald/build/Release/${ADDON}`, `${OUT}/${ADDON}`);
