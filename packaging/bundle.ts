/**
 * Bundles each process in TypeScript and the packages it uses: build/bundle/agent.cjs, fetcher.cjs and verifier.cjs, and for
 * the command cli.cjs, which loads cli-code.cjs with its code cache. The journal addon lies beside them.
 */
import { spawnSync } from "node:child_process";
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import type { ImageRecord } from "../src/image/record.ts";
import { imagePath, layerPath, openStore } from "../src/store/store.ts";

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
  alias: {
    xml2js: "./packaging/xml2js/index.cjs",
    // Its ES module asks for its own URL, which a CommonJS bundle has none of.
    openpgp: "./node_modules/openpgp/dist/node/openpgp.min.cjs",
  },
  plugins: [addonBesideBundle],
  logLevel: "warning",
};

/**
 * Run by a Node of its own: loads the code as src/cli/loader.ts does, lets it prepare a pod, and keeps what V8 has
 * compiled by then, which is what `run` needs.
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
script.runInThisContext()(createRequire(filename), { exports: {} }, directory);
`;

/** An image that is only a record and an empty layer: enough to decide and plan by. */
const NOTHING = "0".repeat(64);
const RECORD: ImageRecord = {
  version: 1,
  id: `sha256-${NOTHING}`,
  kind: "oci",
  names: [],
  digest: `sha256:${NOTHING}`,
  configDigest: `sha256:${NOTHING}`,
  platform: { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch },
  labels: {},
  annotations: {},
  layers: [
    {
      diffId: `sha256:${NOTHING}`,
      digest: `sha256:${NOTHING}`,
      size: 0,
      mediaType: "application/vnd.oci.image.layer.v1.tar",
      unpackedSize: 0,
      entries: 0,
    },
  ],
  app: {
    entrypoint: [],
    cmd: ["/bin/true"],
    environment: [],
    user: "",
    group: "",
    supplementaryGids: [],
    workingDirectory: "",
    stopSignal: "SIGTERM",
    mountPoints: [],
    ports: [],
    isolators: [],
    notifies: false,
  },
  imported: 0,
  source: "the build",
  verdict: { kind: "insecure", reason: "the build", time: 0, uid: 0 },
};

/** Without root, preparing is refused early, and the cache holds less: a matter of milliseconds. */
async function makeCodeCache(): Promise<void> {
  const directory = resolve(OUT);
  const store = await openStore(join(directory, "store"));
  await writeFile(imagePath(store, RECORD.id), JSON.stringify(RECORD));
  await mkdir(layerPath(store, RECORD.digest), { recursive: true });
  const words = ["prepare", `--dir=${store.directory}`, "--insecure-options=image", RECORD.id];
  const flags = ["--disable-proto=delete", "-e", MAKE_CACHE, "--"];
  const { status, stderr } = spawnSync(process.execPath, [...flags, directory, ...words], {
    encoding: "utf8",
  });
  if (status !== 0 && process.getuid?.() === 0) throw new Error(`the code cache: ${stderr}`);
  await rm(store.directory, { recursive: true });
}

await mkdir(OUT, { recursive: true });
await build({ ...OPTIONS, entryPoints: { agent: "src/agent/main.ts", cli: "src/cli/loader.ts" } });
await build({
  ...OPTIONS,
  entryPoints: { "cli-code": "src/cli/main.ts" },
  banner: { js: "(function (require, module, __dirname) {" },
  footer: { js: "})" },
});
await build({
  ...OPTIONS,
  entryPoints: { fetcher: "src/fetcher/main.ts", verifier: "src/verifier/main.ts" },
});
await makeCodeCache();
await copyFile(`node_modules/systemd-journald/build/Release/${ADDON}`, `${OUT}/${ADDON}`);
