/** Commands of the test run: their output goes to this terminal as it comes. */
import { spawn } from "node:child_process";
import { once } from "node:events";

export type CommandOptions = {
  readonly environment?: Readonly<Record<string, string>>;
  /** Show nothing of its output. */
  readonly quiet?: boolean;
};

/** Runs a command to its end and resolves to its exit status (128 + n for a signal). */
export async function runCommand(command: readonly string[], options: CommandOptions = {}): Promise<number> {
  const [program, ...args] = command;
  if (program === undefined) throw new Error("an empty command");
  const child = spawn(program, args, {
    stdio: ["ignore", options.quiet ? "ignore" : "inherit", "inherit"],
    env: { ...process.env, ...options.environment },
  });
  const [code, signal]: [number | null, NodeJS.Signals | null] = await ended(child);
  return code ?? 128 + (signal === "SIGKILL" ? 9 : 15);
}

async function ended(child: ReturnType<typeof spawn>): Promise<[number | null, NodeJS.Signals | null]> {
  const [code, signal] = await once(child, "exit");
  return [code, signal];
}
