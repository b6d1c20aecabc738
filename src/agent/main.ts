/** gantry-agent: org.gantry1 on the system bus, until nobody needs it (DESIGN section 7). */
import { openBus } from "../bus/connection.ts";
import { DEFAULT_PATHS } from "../config/paths.ts";
import { makeLog } from "./log.ts";
import { runAgent } from "./run.ts";

/** Milliseconds without a call, an operation or a subscriber. A test may shorten it. */
const IDLE = Number(process.env["GANTRY_AGENT_IDLE"] ?? 30_000);

/** The priority stands at the beginning of the line (sd-daemon(3)). */
const log = makeLog((line) => process.stderr.write(line));

async function main(): Promise<void> {
  await using bus = await openBus();
  await runAgent({ bus, paths: DEFAULT_PATHS, idle: IDLE, log });
}

main().then(
  () => process.exit(0),
  (error) => {
    log.failure("gantry-agent", error);
    process.exit(1);
  },
);
