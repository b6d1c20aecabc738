/** Memory beyond the apps: proportional set size of what Gantry keeps running in a pod. */
import { type Row, summarize } from "./row.ts";
import { must, preparePod, type Setting } from "./setting.ts";

/** PSS in kB of the pod's processes that are not an app's main process, per kind of unit. */
type Footprint = { readonly sandbox: number; readonly apps: number };

/** One pod alone, so that nothing shares its pages: the worst case. */
export async function measureFootprint(setting: Setting): Promise<Row[]> {
  const { busybox } = setting.images;
  const one = await footprintOf(setting, "benchone", [busybox]);
  const four = await footprintOf(setting, "benchfour", [busybox, busybox, busybox, busybox]);
  return [
    {
      name: "PSS beyond the apps, 1 app",
      unit: "kB",
      gantry: summarize([one.sandbox]),
      target: { limit: 200 },
    },
    {
      name: "PSS beyond the apps, 4 apps",
      unit: "kB",
      gantry: summarize([four.sandbox]),
      target: { limit: 200 },
    },
    {
      name: "PSS of helpers per app",
      unit: "kB",
      gantry: summarize([one.apps, four.apps / 4]),
      target: { limit: 0 },
    },
  ];
}

async function footprintOf(setting: Setting, name: string, images: readonly string[]): Promise<Footprint> {
  const { host } = setting;
  const uuid = await preparePod(setting, name, images);
  await must(host, `gantry start ${uuid} && sleep 1`);
  const text = await must(host, MEASURE.replaceAll("POD", name));
  await must(host, `gantry stop ${uuid} && gantry rm ${uuid}`);
  const [sandbox = Number.NaN, apps = Number.NaN] = text.split(" ").map(Number);
  return { sandbox, apps };
}

/** Every process in the cgroup of a unit; for apps all but the main process, which is the app. */
const MEASURE = `
pids() {
  group=$(systemctl show --value -p ControlGroup "$1")
  cat /sys/fs/cgroup/systemd"$group"/cgroup.procs 2>/dev/null || cat /sys/fs/cgroup"$group"/cgroup.procs
}
pss() { for pid; do sed -n 's/^Pss: *\\([0-9]*\\).*/\\1/p' /proc/$pid/smaps_rollup; done | awk '{ s += $1 } END { print s + 0 }'; }
sandbox=$(pss $(pids 'gantry-POD.service'))
others=
for unit in $(systemctl list-units --plain --no-legend 'gantry-POD.*.service' | cut -d' ' -f1); do
  main=$(systemctl show --value -p MainPID "$unit")
  others="$others $(pids "$unit" | grep -vx "$main" || :)"
done
echo "$sandbox $(pss $others)"
`;
