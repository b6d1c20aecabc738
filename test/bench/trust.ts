/** What a start with unchanged trust pays for the check: in C, as gantry-start and gantry-sandbox make it. */
import { join } from "node:path";
import { BUILD } from "../host/machine.ts";
import { parseSamples, type Row, type Samples, samplesOf } from "./row.ts";
import { must, preparePod, type Setting } from "./setting.ts";

/** More than a host is likely to have. */
const KEYS = 100;
const RULES = 100;
const ROUNDS = 200;

export async function measureTrust(setting: Setting): Promise<Row[]> {
  const { host } = setting;
  const bare = await check(setting, "bare");
  await must(
    host,
    `mkdir -p /etc/gantry/trustedkeys/prefix.d/bench.example /etc/gantry/trust.d
    for i in $(seq ${KEYS}); do echo key >/etc/gantry/trustedkeys/prefix.d/bench.example/$(printf %040x $i); done
    for i in $(seq ${RULES}); do
      echo '{"version":1,"rules":[]}' >/etc/gantry/trust.d/bench-$i.json
    done`,
  );
  const full = await check(setting, "full");
  await must(host, "rm -r /etc/gantry/trustedkeys/prefix.d/bench.example /etc/gantry/trust.d/bench-*");
  return [
    row("trust check of a start, no rules and keys", bare),
    row(`the same, ${KEYS} keys and ${RULES} rules`, full),
  ];
}

/** An unsigned image: what is judged plays no part in the comparison. */
async function check(setting: Setting, name: string): Promise<Samples> {
  const { host, images } = setting;
  await preparePod(setting, `trust-${name}`, [images.busybox]);
  const program = join(BUILD, "native/trust/test-trust");
  const found = await must(host, `${program} --time /var/lib/gantry/names/trust-${name} ${ROUNDS}`);
  await must(host, `gantry rm trust-${name}`);
  return samplesOf(parseSamples(found), "check");
}

function row(name: string, gantry: Row["gantry"]): Row {
  return { name, unit: "ms", gantry, target: { limit: 1 } };
}
