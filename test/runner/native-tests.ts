/** Builds the native programs plainly and under sanitizers, and runs meson's tests in both. */
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import * as z from "zod";
import { runCommand } from "./command.ts";
import { type Counts, NOTHING, single, sum } from "./counts.ts";

const LOG = "meson-logs/testlog.json";

export type NativeBuild = {
  /** The build directory. */
  readonly directory: string;
  /** Arguments of `meson setup`. */
  readonly setup: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
};

/** gcc for what is shipped; clang for the sanitizers, so that both compilers accept every file. */
export const NATIVE_BUILDS: readonly NativeBuild[] = [
  {
    directory: "build/native",
    setup: ["--prefix=/usr", "--libexecdir=lib/gantry"],
    environment: {},
  },
  {
    directory: "build/native-sanitize",
    setup: ["-Db_sanitize=address,undefined", "-Db_lundef=false", "--buildtype=debug", "-Doptimization=1"],
    environment: {
      CC: "clang",
      UBSAN_OPTIONS: "halt_on_error=1:print_stacktrace=1",
      ASAN_OPTIONS: "detect_stack_use_after_return=1:strict_string_checks=1",
    },
  },
];

/** Builds and tests one build directory. */
export async function runNativeTests(build: NativeBuild): Promise<Counts> {
  const { directory, environment } = build;
  if (!existsSync(`${directory}/build.ninja`)) {
    const setup = ["meson", "setup", directory, "native", ...build.setup];
    if ((await runCommand(setup, { environment, quiet: true })) !== 0)
      return single(`${directory}: meson setup`, false);
  }
  if ((await runCommand(["ninja", "-C", directory, "--quiet"], { environment })) !== 0) {
    return single(`${directory}: build`, false);
  }
  const built = single(directory, true);
  // A log of an earlier run must not be counted when this one dies before it writes its own.
  await rm(`${directory}/${LOG}`, { force: true });
  await runCommand(
    ["meson", "test", "-C", directory, "--no-rebuild", "--print-errorlogs", "--timeout-multiplier=10"],
    { environment },
  );
  return sum([built, await countMesonLog(directory)]);
}

const Line = z.object({ name: z.string(), result: z.string() });

async function countMesonLog(directory: string): Promise<Counts> {
  const log = await readFile(`${directory}/${LOG}`, "utf8");
  const lines = log.split("\n").filter((line) => line !== "");
  return sum(lines.map((line) => countMesonLine(directory, Line.parse(JSON.parse(line)))));
}

function countMesonLine(directory: string, line: z.infer<typeof Line>): Counts {
  const name = `${directory}: ${line.name}`;
  if (line.result === "SKIP") return { ...NOTHING, skipped: [name] };
  return single(name, line.result === "OK" || line.result === "EXPECTEDFAIL");
}
