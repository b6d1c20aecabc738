/** Where everything is measured: one test host, with Gantry installed and podman configured, and the images. */
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { debianImage, writeOciLayout } from "../fixtures/images.ts";
import { tarOf } from "../fixtures/tar.ts";
import { busyboxTar } from "../fixtures/trees.ts";
import { bootHost, type TestHost } from "../host/host.ts";
import { BUILD, type CgroupMode } from "../host/machine.ts";
import { compilePrograms, type Programs } from "./programs.ts";
import { parseSamples, type Samples } from "./row.ts";

/** Samples of each measurement, and the pause before each one: equal for all that are compared, since a lone change of
 * cgroups waits for a grace period of the kernel's RCU and a busy neighbour would hide it. */
export const ROUNDS = 24;
export const PACE_MS = 100;

export type Setting = {
  readonly host: TestHost;
  readonly programs: Programs;
  /** OCI layouts as both sides take them: `oci:DIR:ref`. */
  readonly images: { readonly busybox: string; readonly probe: string; readonly debian: string };
  /** The only layer of the Debian image: a tar.gz. */
  readonly debianLayer: string;
};

/** One command to be timed; `before` and `after` are shell scripts that are not. */
export type TimedCommand = {
  readonly name: string;
  readonly command: string;
  readonly before?: string;
  readonly after?: string;
};

/** Boots the host, in the machine's own cgroup mode unless told, and makes it ready; the caller disposes of `host`. */
export async function prepareSetting(cgroups?: CgroupMode): Promise<Setting> {
  const programs = compilePrograms();
  const { images, debianLayer } = await writeImages(programs.probe);
  const host = await bootHost({ name: "bench", ...(cgroups === undefined ? {} : { cgroups }) });
  await configurePodman(host);
  return { host, programs, images, debianLayer };
}

async function writeImages(probe: string): Promise<Pick<Setting, "images" | "debianLayer">> {
  rmSync(join(BUILD, "bench/images"), { recursive: true, force: true });
  const layers = [await busyboxTar()];
  const probed = [...layers, await tarOf([{ name: "probe", mode: 0o755, body: readFileSync(probe) }])];
  writeOciLayout(layoutOf("debian"), debianImage(), { ref: "latest" });
  writeOciLayout(
    layoutOf("busybox"),
    { layers, config: { Cmd: ["/bin/sleep", "1000000"] } },
    { ref: "latest" },
  );
  writeOciLayout(
    layoutOf("probe"),
    { layers: probed, config: { Cmd: ["/probe", "/stamp"] } },
    { ref: "latest" },
  );
  return {
    images: { busybox: imageOf("busybox"), probe: imageOf("probe"), debian: imageOf("debian") },
    debianLayer: largestBlob(layoutOf("debian")),
  };
}

function layoutOf(name: string): string {
  return join(BUILD, "bench/images", name);
}

function imageOf(name: string): string {
  return `oci:${layoutOf(name)}:latest`;
}

function largestBlob(layout: string): string {
  const blobs = readdirSync(join(layout, "blobs/sha256")).map((name) => join(layout, "blobs/sha256", name));
  return blobs.reduce((largest, blob) => (statSync(blob).size > statSync(largest).size ? blob : largest));
}

/** Debian's defaults: overlay, crun, systemd as cgroup manager. Its storage may not lie on an overlay. */
async function configurePodman(host: TestHost): Promise<void> {
  await must(host, "mkdir -p /var/lib/containers && mount -t tmpfs -o mode=711 podman /var/lib/containers");
  await host.put("/etc/containers/policy.json", '{"default":[{"type":"insecureAcceptAnything"}]}');
}

/** Runs a script in the host and returns what it printed; throws when it fails. */
export async function must(host: TestHost, script: string, timeoutMs = 120_000): Promise<string> {
  const { status, stdout, stderr } = await host.exec(["sh", "-ec", script], { timeoutMs });
  if (status !== 0) throw new Error(`in the test host, status ${status}: ${script}\n${stdout}${stderr}`);
  return stdout.trim();
}

/** Times commands, alternated. */
export async function timeCommands(
  setting: Setting,
  commands: readonly TimedCommand[],
  rounds = ROUNDS,
): Promise<ReadonlyMap<string, Samples>> {
  const argv = commands.flatMap(({ name, before = "", command, after = "" }) => [
    name,
    before,
    command,
    after,
  ]);
  const { status, stdout, stderr } = await setting.host.exec(
    [setting.programs.timeCommand, String(rounds), String(PACE_MS), ...argv],
    { timeoutMs: 15 * 60_000 },
  );
  if (status !== 0) throw new Error(`time-command: ${stderr}`);
  return parseSamples(stdout);
}

/** Prepares a pod whose apps run what their images say; resolves to its UUID. */
export async function preparePod(
  { host }: Setting,
  name: string,
  images: readonly string[],
): Promise<string> {
  const apps = images.map((image, index) => `${image} --name=app${index}`).join(" --- ");
  return await must(host, `gantry prepare --insecure-options=image --net=none --name=${name} ${apps}`);
}
