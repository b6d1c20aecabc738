/**
 * What Node starts for `gantry`, for the agent, the fetcher and the verifier: runs the bundled code beside it with the code
 * cache that was made when it was built. Compiling the bundle costs a fifth of a short command. V8 checks the cache against its own version, its flags and
 * the source, and compiles as ever when they differ; a missing cache is no error either.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { Script } from "node:vm";

/** The bundle's wrapper, see packaging/bundle.ts. */
type Code = (require: NodeJS.Require, module: { exports: unknown }, directory: string) => void;

function loadCode(filename: string): Code {
  // The bundle is ASCII, and V8 keeps such a string as it is.
  const source = readFileSync(filename, "latin1");
  const cachedData = readCache(filename.replace(/\.cjs$/, ".cache"));
  const script = new Script(source, { filename, ...(cachedData === undefined ? {} : { cachedData }) });
  return script.runInThisContext() as Code;
}

function readCache(filename: string): Buffer | undefined {
  try {
    return readFileSync(filename);
  } catch {
    return undefined;
  }
}

const [, loader = ""] = process.argv;
const directory = dirname(loader);
const filename = join(directory, `${basename(loader, ".cjs")}-code.cjs`);
loadCode(filename)(createRequire(filename), { exports: {} }, directory);
