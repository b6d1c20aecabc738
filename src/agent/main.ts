/** gantry-agent: org.gantry1 on the system bus, until nobody needs it (DESIGN section 7). */
import { printable } from "../base/text.ts";
import { openBus } from "../bus/connection.ts";
import { DEFAULT_PATHS } from "../config/paths.ts";
import { runAgent } from "./run.ts";

/** Milliseconds without a call, an operation or a subscriber. A test may shorten it. */
const IDLE = Number(process.env["GANTRY_AGENT_IDLE"] ?? 30_000);

/** Longer entries could only hold what a caller has sent. */
const MAX_ENTRY = 4000;

/** An entry of the journal: systemd reads the priority off the beginning of the line (sd-daemon(3)). */
function logFailure(what: string, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`<3>${printable(`${what}: ${text}`.slice(0, MAX_ENTRY))}\n`);
}

async function main(): Promise<void> {
  await using bus = await openBus();
  await runAgent({ bus, paths: DEFAULT_PATHS, idle: IDLE, onFailure: logFailure });
}

main().then(
  () => process.exit(0),
  (error) => {
    logFailure("gantry-agent", error);
    process.exit(1);
  },
);
