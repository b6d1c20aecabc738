/** Programs the packaging runs. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export type CommandOptions = { readonly cwd?: string };

/** Standard output of a program; rejects with everything it said when it fails. */
export async function output(argv: readonly string[], { cwd }: CommandOptions = {}): Promise<string> {
  const [program = "", ...parameters] = argv;
  const env = { ...process.env, LC_ALL: "C.UTF-8" };
  const options = { maxBuffer: 64 * 1024 * 1024, env, ...(cwd === undefined ? {} : { cwd }) };
  try {
    return (await promisify(execFile)(program, parameters, options)).stdout;
  } catch (error) {
    // ninja, for one, complains on standard output.
    const said = error instanceof Error && "stdout" in error ? String(error.stdout).trim() : "";
    throw new Error(`${argv.join(" ")}: ${said}`, { cause: error });
  }
}
