/** The agent: a warm call, the first call of all, and what it occupies while it waits. */
import { callMethod } from "../../src/bus/client.ts";
import { openBus } from "../../src/bus/connection.ts";
import { MANAGER } from "../../src/interface/manager.ts";
import { BUS_NAME, ROOT_PATH } from "../../src/interface/tables.ts";
import { type Row, type Samples, samplesOf, summarize } from "./row.ts";
import { must, preparePod, type Setting, timeCommands } from "./setting.ts";

const PODS = ["agent0", "agent1", "agent2", "agent3", "agent4"];
const CALLS = 400;
const LIST = `busctl call ${BUS_NAME} ${ROOT_PATH} ${MANAGER.name} ListPods`;

export async function measureAgent(setting: Setting): Promise<Row[]> {
  const { host, images } = setting;
  for (const name of PODS) await preparePod(setting, name, [images.busybox]);
  await must(host, `gantry start ${PODS.join(" ")}`);
  const warm = await warmCalls(setting);
  const idle = await idleMemory(setting);
  const cold = await timeCommands(setting, [
    { name: "cold", before: "systemctl stop gantry-agent.service", command: LIST },
  ]);
  await must(host, `gantry stop ${PODS.join(" ")} && gantry rm ${PODS.join(" ")}`);
  return [
    {
      name: `bus: list of ${PODS.length} running pods, warm`,
      unit: "ms",
      gantry: warm,
      target: { limit: 3 },
    },
    {
      name: "bus: first answer, from no agent",
      unit: "ms",
      gantry: samplesOf(cold, "cold"),
      target: { limit: 200 },
    },
    { name: "memory of the idle agent's cgroup", unit: "kB", gantry: idle, target: { limit: 20_000 } },
  ];
}

async function warmCalls({ host }: Setting): Promise<Samples> {
  await using bus = await openBus({ address: host.busAddress() });
  const peer = { bus, destination: BUS_NAME, path: ROOT_PATH };
  const times: number[] = [];
  for (let call = 0; call < CALLS; call += 1) {
    const begin = performance.now();
    await callMethod(peer, [MANAGER, "ListPods"], {});
    times.push(performance.now() - begin);
  }
  return summarize(times);
}

/** After the calls above: the agent has collected its garbage a second after the last one. */
async function idleMemory({ host }: Setting): Promise<Samples> {
  const measure = "systemctl show --value --property=MemoryCurrent gantry-agent.service";
  const bytes = await must(host, `sleep 3; ${measure}; sleep 1; ${measure}`);
  return summarize(bytes.split("\n").map((line) => Number(line) / 1000));
}
