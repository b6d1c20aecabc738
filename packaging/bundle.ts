/**
 * Bundles each process in TypeScript and the packages it uses: build/bundle/agent.cjs, and for the command cli.cjs, which
 * loads cli-code.cjs with its code cache. The journal addon lies beside them.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";

const OUT = "build/bundle";
const ADDON = "journal_send.node";

/** systemd-journald looks for its addon in its own build folder; installed, it lies beside the bundle. */
const addonBesideBundle: Plugin = {
  name: "addon-beside-bundle",
  setup(build) {
    build.onResolve({ filter: /\/journal_send\.node$/ }, () => ({ path: `./${ADDON}`, external: true }));
  },
};

const OPTIONS: BuildOptions = {
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
  plugins: [addonBesideBundle],
  logLevel: "warning",
};

/**
 * Run by a Node of its own: loads the code as src/cli/loader.ts does, lets it fail on an image that is not there, and
 * keeps what V8 has compiled by then, which is what every short command needs.
 */
const MAKE_CACHE = `
const { readFileSync, writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { Script } = require("node:vm");
const [directory, ...words] = process.argv.slice(1);
const filename = directory + "/cli-code.cjs";
const script = new Script(readFileSync(filename, "latin1"), { filename });
process.on("exit", () => writeFileSync(directory + "/cli-code.cache", script.createCachedData()));
process.argv = ["node", directory + "/cli.cjs", ...words];
process.stderr.write = () => true;
script.runInThisContext()(createRequire(filename), { exports: {} }, directory);
`;

function makeCodeCache(): void {
  const directory = resolve(OUT);
  const words = [
    "prepare",
    `--dir=${directory}/no-store`,
    "--insecure-options=image",
    "oci:/nonexistent:latest",
  ];
  spawnSync(process.execPath, ["--disable-proto=delete", "-e", MAKE_CACHE, "--", directory, ...words]);
  rmSync(join(directory, "no-store"), { recursive: true, force: true });
}

await mkdir(OUT, { recursive: true });
await build({ ...OPTIONS, entryPoints: { agent: "src/agent/main.ts", cli: "src/cli/loader.ts" } });
await build({
  ...OPTIONS,
  entryPoints: { "cli-code": "src/cli/main.ts" },
  banner: { js: "(function (require, module, __dirname) {" },
  footer: { js: "})" },
});
makeCodeCache();
await copyFile(`node_modules/systemd-journald/build/Release/${ADDON}`, `${OUT}/${ADDON}`);
