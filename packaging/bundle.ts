/**
 * Bundles each process in TypeScript and the packages it uses: for the command, the agent, the fetcher and the verifier a
 * loader, such as build/bundle/cli.cjs, that loads the code, cli-code.cjs, with its code cache. The journal addon lies
 * beside them.
 */
import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type BuildOptions, type BuildResult, build, type Plugin } from "esbuild";
import * as openpgp from "openpgp";
import type { ImageRecord } from "../src/image/record.ts";
import type { RegistryRequest } from "../src/inbox/protocol.ts";
import { imagePath, layerPath, openStore } from "../src/store/store.ts";
import type { VerifierRequest } from "../src/trust/verifier.ts";

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

/**
 * Run by a Node of its own: loads the code as src/cli/loader.ts does, runs it once per command line, and keeps what V8 has
 * compiled by then. A pod that the first one has prepared looks started to the others, which then ask for the bus.
 */
const MAKE_CACHE = `
const { readdirSync, readFileSync, writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { Script } = require("node:vm");
const [directory, name, store, ...lines] = process.argv.slice(1);
const filename = directory + "/" + name + "-code.cjs";
const script = new Script(readFileSync(filename, "latin1"), { filename });
const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim().replaceAll("-", "");
const exit = process.exit;
let failure = 0;
process.exit = (status) => {
  failure ||= status;
  if (lines.length === 0) {
    writeFileSync(directory + "/" + name + "-code.cache", script.createCachedData());
    exit(failure);
  }
  for (const pod of store === "" ? [] : readdirSync(store + "/pods"))
    writeFileSync(store + "/pods/" + pod + "/started", JSON.stringify({ version: 1, time: 1, boot }));
  setImmediate(run);
};
function run() {
  process.argv = ["node", directory + "/" + name + ".cjs", ...JSON.parse(lines.shift())];
  script.runInThisContext()(createRequire(filename), { exports: {} }, directory);
}
run();
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

type Cached = {
  /** Of the code, `<name>-code.cjs`. */
  readonly name: string;
  /** V8 takes a cache only with the flags it was made with: those of native/gantry/node.c. */
  readonly flags: readonly string[];
  readonly store: string;
  readonly runs: readonly (readonly string[])[];
  /** Standard input of its run. */
  readonly input?: string;
};

/** What compiles runs without a bus, so that a build changes nothing and asks nobody; its errors are expected. */
function makeCodeCache({ name, flags, store, runs, input = "" }: Cached): void {
  const lines = runs.map((words) => JSON.stringify(words));
  const environment = { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/nonexistent" };
  rmSync(join(OUT, `${name}-code.cache`), { force: true });
  const { stderr } = spawnSync(
    process.execPath,
    ["--disable-proto=delete", ...flags, "-e", MAKE_CACHE, "--", resolve(OUT), name, store, ...lines],
    { encoding: "utf8", env: environment, input },
  );
  if (!existsSync(join(OUT, `${name}-code.cache`))) throw new Error(`the code cache: ${stderr}`);
}

/** Without root, preparing is refused early, and the cache holds less: a matter of milliseconds. */
async function cacheCommands(): Promise<void> {
  const store = await openStore(resolve(OUT, "store"));
  await writeFile(imagePath(store, RECORD.id), JSON.stringify(RECORD));
  await mkdir(layerPath(store, RECORD.digest), { recursive: true });
  const at = `--dir=${store.directory}`;
  const prepare = ["prepare", at, "--insecure-options=image", RECORD.id];
  makeCodeCache({
    ...{ name: "cli", flags: [], store: store.directory },
    runs: [prepare, ["list", at], ["status", at, "none"]],
  });
  await rm(store.directory, { recursive: true });
}

const AGENT_FLAGS = [
  ...["--jitless", "--max-semi-space-size=1", "--compact-on-every-full-gc", "--expose-gc"],
  ...["--v8-pool-size=1", "--max-old-space-size=128"],
];

/** The packages in what was built, whose licences go into the Debian package. */
function packagesOf(results: readonly BuildResult<{ metafile: true }>[]): string[] {
  const outputs = results.flatMap(({ metafile }) => Object.values(metafile.outputs));
  const inputs = outputs.flatMap(({ inputs }) => Object.keys(inputs));
  const names = inputs.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []);
  return [...new Set(names)].sort();
}

await mkdir(OUT, { recursive: true });
/** A request that gets as far as the first connection: nobody listens there. */
const NOBODY: RegistryRequest = {
  version: 1,
  kind: "registry",
  directory: resolve(OUT),
  reference: "registry.invalid/nothing:1",
  platform: { os: "linux", architecture: "none", variants: [] },
  sources: [{ url: "http://127.0.0.1:1", capabilities: ["pull", "resolve"], plainHttp: true }],
  signatures: { lookaside: [], cosign: false, referrers: false },
  limits: { attempts: 1 },
};
const FETCHER_FLAGS = ["--no-expose-wasm", "--jitless", "--v8-pool-size=1", "--max-semi-space-size=1"];

const VERIFIER_FLAGS = ["--no-expose-wasm", "--jitless", "--v8-pool-size=1"];

/** A key, and what it signed in both forms: what most verifiers will have to do. */
async function verifierRequest(): Promise<VerifierRequest> {
  const user = { name: "the build" };
  const { privateKey, publicKey } = await openpgp.generateKey({ userIDs: [user], format: "object" });
  const message = await openpgp.createMessage({ binary: Buffer.from("{}") });
  const signing = { message, signingKeys: privateKey, format: "binary" } as const;
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  return {
    version: 1,
    verb: "verify",
    time: Date.now() * 1000 + 1_000_000,
    subject: { digest: `sha256:${NOTHING}`, archive: "trusted" },
    keys: [{ path: "key", content: Buffer.from(publicKey.armor()).toString("base64") }],
    signatures: [
      { kind: "openpgp", content: base64(await openpgp.sign({ ...signing, detached: true })) },
      { kind: "simple-signing", content: base64(await openpgp.sign(signing)) },
    ],
  };
}

async function cacheVerifier(): Promise<void> {
  const request = resolve(OUT, "request");
  await writeFile(request, JSON.stringify(await verifierRequest()));
  makeCodeCache({ name: "verifier", flags: VERIFIER_FLAGS, store: "", runs: [[request]] });
  await rm(request);
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
await cacheCommands();
makeCodeCache({ name: "agent", flags: AGENT_FLAGS, store: "", runs: [[]] });
makeCodeCache({
  name: "fetcher",
  flags: FETCHER_FLAGS,
  store: "",
  runs: [[]],
  input: `${JSON.stringify(NOBODY)}\n`,
});
await cacheVerifier();
await copyFile(`node_modules/systemd-journald/build/Release/${ADDON}`, `${OUT}/${ADDON}`);
