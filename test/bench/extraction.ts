/** One layer, a Debian minbase: gantry-unpack with all its digests beside bsdtar, which makes none. */
import { type Row, samplesOf } from "./row.ts";
import { ROUNDS, type Setting, timeCommands } from "./setting.ts";

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
  return [
    {
      name: "extract Debian minbase",
      unit: "ms",
      gantry: samplesOf(samples, "gantry"),
      peer,
      target: { factor: 1.3 },
    },
  ];
}
