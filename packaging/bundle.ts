/**
 * Bundles each process in TypeScript and the packages it uses into one script, build/bundle/cli.cjs and agent.cjs, and
 * puts the journal addon beside them.
 */
import { copyFile, mkdir } from "node:fs/promises";
import { build, type Plugin } from "esbuild";

const OUT = "build/bundle";
const ADDON = "journal_send.node";

/** systemd-journald looks for its addon in its own build folder; installed, it lies beside the bundle. */
const addonBesideBundle: Plugin = {
  name: "addon-beside-bundle",
  setup(build) {
    build.onResolve({ filter: /\/journal_send\.node$/ }, () => ({ path: `./${ADDON}`, external: true }));
  },
};

await mkdir(OUT, { recursive: true });
await build({
  entryPoints: { cli: "src/cli/main.ts", agent: "src/agent/main.ts" },
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
});
await copyFile(`node_modules/systemd-journald/build/Release/${ADDON}`, `${OUT}/${ADDON}`);
