/** Compiles the measuring programs beside this file into build/bench. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { BUILD, CHECKOUT } from "../host/machine.ts";

const FLAGS = ["-O2", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"];

export type Programs = { readonly probe: string; readonly startProbe: string; readonly timeCommand: string };

/** Compiles all of them; what fails, fails loudly. */
export function compilePrograms(): Programs {
  mkdirSync(join(BUILD, "bench"), { recursive: true });
  const libraries = execFileSync("pkg-config", ["--cflags", "--libs", "libsystemd"], {
    encoding: "utf8",
  });
  return {
    // With glibc it would count 0.6 ms of its start before main() to both sides.
    probe: compile("probe", ["-static"], "musl-gcc"),
    startProbe: compile("start-probe", [
      `-I${CHECKOUT}/native`,
      `${CHECKOUT}/native/gantry/marshal.c`,
      `${CHECKOUT}/native/plan/signature.c`,
      ...sources("json"),
      ...sources("basic"),
      ...libraries.trim().split(" "),
    ]),
    timeCommand: compile("time-command", []),
  };
}

function sources(folder: string): string[] {
  const directory = join(CHECKOUT, "native", folder);
  return readdirSync(directory)
    .filter((name) => name.endsWith(".c"))
    .map((name) => join(directory, name));
}

function compile(name: string, further: readonly string[], compiler = "gcc"): string {
  const program = join(BUILD, "bench", name);
  const source = join(import.meta.dirname, `${name}.c`);
  execFileSync(compiler, [...FLAGS, "-o", program, source, ...further], { stdio: "inherit" });
  return program;
}
