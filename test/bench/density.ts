/** A hundred pods at once. */
import { type Row, samplesOf } from "./row.ts";
import { must, preparePod, ROUNDS, type Setting, timeCommands } from "./setting.ts";

const PODS = 100;

/** Starting and stopping 100 prepared pods of one app, each with one command. */
export async function measureDensity(setting: Setting): Promise<Row[]> {
  const names = Array.from({ length: PODS }, (_, index) => `dense${index}`);
  for (const name of names) await preparePod(setting, name, [setting.images.busybox]);
  const all = names.join(" ");
  const samples = await timeCommands(
    setting,
    [
      { name: "start", command: `gantry start ${all}` },
      { name: "stop", command: `gantry stop ${all}` },
    ],
    ROUNDS,
  );
  await must(setting.host, `gantry rm ${all}`);
  return [
    { name: `start ${PODS} pods`, unit: "ms", gantry: samplesOf(samples, "start"), target: { limit: 2000 } },
    { name: `stop ${PODS} pods`, unit: "ms", gantry: samplesOf(samples, "stop"), target: { limit: 1000 } },
  ];
}
