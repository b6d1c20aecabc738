/** Memory beyond the apps: proportional set size of what Gantry keeps running in a pod. */
import { type Row, summarize } from "./row.ts";
import { must, preparePod, type Setting } from "./setting.ts";

/** PSS in kB of the pod's processes that are not an app's main process, per kind of unit. */
type Footprint = { readonly sandbox: number; readonly apps: number };

const PODS = 20;

/** A page that pods share counts for each of them by its share; a lone pod has no one to share with, and the same target. */
export async function measureFootprint(setting: Setting): Promise<Row[]> {
  const one = await footprintsOf(setting, 1, 1);
  const many = await footprintsOf(setting, PODS, 1);
  const four = await footprintsOf(setting, 1, 4);
  const helpers = [...one, ...many, ...four].map(({ apps }) => apps);
  const row = (name: string, footprints: readonly Footprint[]): Row => ({
    name,
    unit: "kB",
    gantry: summarize(footprints.map(({ sandbox }) => sandbox)),
  });
  return [
    { ...row(`PSS beyond the apps, per pod of ${PODS}`, many), target: { limit: 200 } },
    { ...row("PSS beyond the apps, one lone pod", one), target: { limit: 200 } },
    { ...row("PSS beyond the apps, one lone pod of 4 apps", four), target: { limit: 200 } },
    {
      name: "PSS of helpers per app",
      unit: "kB",
      gantry: summarize([Math.max(...helpers)]),
      target: { limit: 0 },
    },
  ];
}

async function footprintsOf(setting: Setting, pods: number, apps: number): Promise<Footprint[]> {
  const { host, images } = setting;
  const names = Array.from({ length: pods }, (_, index) => `foot${index}`);
  for (const name of names) await preparePod(setting, name, Array(apps).fill(images.busybox));
  await must(host, `gantry start ${names.join(" ")} && sleep 1`);
  const found: Footprint[] = [];
  for (const name of names) {
    const [sandbox = Number.NaN, helpers = Number.NaN] = (await must(host, MEASURE.replaceAll("POD", name)))
      .split(" ")
      .map(Number);
    found.push({ sandbox, apps: helpers });
  }
  await must(host, `gantry stop ${names.join(" ")} && gantry rm ${names.join(" ")}`);
  return found;
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
