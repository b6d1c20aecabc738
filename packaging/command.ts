/** Programs the packaging runs. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export type CommandOptions = { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> };

/** Standard output of a program; rejects with what it said on standard error when it fails. */
export async function output(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const [program = "", ...parameters] = argv;
  const { stdout } = await promisify(execFile)(program, parameters, {
    maxBuffer: 64 * 1024 * 1024,
    ...options,
    env: { ...process.env, LC_ALL: "C.UTF-8", ...options.env },
  });
  return stdout;
}
