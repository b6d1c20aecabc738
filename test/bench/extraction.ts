/** One layer, a Debian minbase: gantry-unpack with all its digests, bare and in its unit, beside bsdtar, which makes none. */
import { statSync } from "node:fs";
import { unitUnpacker } from "../../src/store/unpack-unit.ts";
import { connectSystemd } from "../../src/systemd/systemd.ts";
import { type Row, type Samples, samplesOf, summarize } from "./row.ts";
import { must, ROUNDS, type Setting, timeCommands } from "./setting.ts";

const INTO = "/var/lib/gantry/bench";

/** The extraction row; both start through a shell. */
export async function measureExtraction(setting: Setting): Promise<Row[]> {
  const layer = setting.debianLayer;
  const before = `rm -rf ${INTO} && mkdir -p ${INTO}`;
  await setting.host.put("/run/bench-bsdtar", `#!/bin/sh\nexec bsdtar -xzf ${layer} -C ${INTO}\n`, 0o755);
  await setting.host.put(
    "/run/bench-unpack",
    `#!/bin/sh\nexec /usr/lib/gantry/gantry-unpack layer --into=${INTO} <${layer}\n`,
    0o755,
  );
  const samples = await timeCommands(
    setting,
    [
      { name: "gantry", before, command: "/run/bench-unpack", after: `rm -rf ${INTO}` },
      { name: "bsdtar", before, command: "/run/bench-bsdtar", after: `rm -rf ${INTO}` },
    ],
    ROUNDS,
  );
  const peer = { name: "bsdtar -xzf", samples: samplesOf(samples, "bsdtar") };
  const unit = {
    name: "the same in the unpacker's unit",
    unit: "ms",
    gantry: await unitSamples(setting),
  } as const;
  return [
    {
      name: "extract Debian minbase",
      unit: "ms",
      gantry: samplesOf(samples, "gantry"),
      peer,
      target: { factor: 1.3 },
    },
    { ...unit, peer, target: { factor: 1.3 } },
  ];
}

/** From the call of systemd to the unit's end, over the host's bus. */
async function unitSamples({ host, debianLayer }: Setting): Promise<Samples> {
  await using systemd = await connectSystemd({ address: host.busAddress() });
  const unpack = unitUnpacker(systemd, "/usr/lib/gantry/gantry-unpack");
  const archive = { path: debianLayer, offset: 0, length: statSync(debianLayer).size };
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await must(host, `rm -rf ${INTO} && mkdir -p ${INTO}`);
    const begin = performance.now();
    const end = await unpack({ verb: "layer", operation: "bench", part: String(round), into: INTO, archive });
    times.push(performance.now() - begin);
    if (!("status" in end) || end.status !== 0)
      throw new Error(`the unpacker's unit: ${JSON.stringify(end)}`);
  }
  await must(host, `rm -rf ${INTO}`);
  return summarize(times);
}
