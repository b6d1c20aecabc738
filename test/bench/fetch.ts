/** Images into the store: from a layout and from a registry on loopback, beside bsdtar, which checks nothing, and podman. */
import { join } from "node:path";
import { writeOciLayout } from "../fixtures/images.ts";
import { tarOf } from "../fixtures/tar.ts";
import type { HostProcess } from "../host/host.ts";
import { BUILD } from "../host/machine.ts";
import { type Row, type Samples, samplesOf, summarize } from "./row.ts";
import { must, type Setting, timeCommands } from "./setting.ts";

const ROUNDS = 10;
const PORT = 5000;
const REGISTRY = `127.0.0.1:${PORT}`;
const INTO = "/var/lib/gantry/bench";
const FETCH = "gantry fetch --insecure-options=image";

/** kB of memory, and bytes of the layer, as the issue's target has them. */
const MEMORY = 120_000;
const LARGE = 2 * 1024 ** 3;

export async function measureFetch(setting: Setting): Promise<Row[]> {
  await using _registry = await startRegistry(setting);
  return [...(await measureDebian(setting)), ...(await measureLayers(setting)), await measureMemory(setting)];
}

async function startRegistry({ host }: Setting): Promise<HostProcess> {
  const storage = { filesystem: { rootdirectory: "/var/tmp/registry" } };
  const configuration = { version: "0.1", log: { level: "error" }, storage, http: { addr: REGISTRY } };
  await host.put("/run/registry.yml", JSON.stringify(configuration));
  const registries = [PORT, PORT + 1].map((port) => ({
    prefix: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
  }));
  await must(host, "mkdir -p /etc/gantry/registries.d");
  await host.put("/etc/gantry/registries.d/bench.json", JSON.stringify({ version: 1, registries }));
  const server = await host.spawn(["docker-registry", "serve", "/run/registry.yml"]);
  await must(host, `until bash -c ': </dev/tcp/127.0.0.1/${PORT}' 2>/dev/null; do sleep 0.1; done`);
  return server;
}

async function push({ host }: Setting, image: string, name: string): Promise<string> {
  const copy = "skopeo copy -q --insecure-policy --dest-tls-verify=false";
  await must(host, `${copy} ${image} docker://${REGISTRY}/${name}`);
  return `docker://${REGISTRY}/${name}`;
}

async function measureDebian(setting: Setting): Promise<Row[]> {
  const { host, images, debianLayer } = setting;
  const { debian } = images;
  const remote = await push(setting, debian, "debian:1");
  const id = await must(host, `${FETCH} ${debian}`);
  await must(host, `gantry image rm ${id}`);
  const after = `gantry image rm ${id}`;
  const extraction = { before: `rm -rf ${INTO} && mkdir -p ${INTO}`, after: `rm -rf ${INTO}` };
  const podman = `localhost${debian.replace(/^oci:/, "")}`;
  const samples = await timeCommands(
    setting,
    [
      { name: "layout", command: `${FETCH} ${debian}`, after },
      { name: "registry", command: `${FETCH} ${remote}`, after },
      { name: "bsdtar", command: `bsdtar -xzf ${debianLayer} -C ${INTO}`, ...extraction },
      { name: "podman", command: `podman pull -q ${debian}`, after: `podman rmi -f ${podman}` },
    ],
    ROUNDS,
  );
  const row = compare(samples);
  return [
    row("fetch oci: of Debian minbase", ["layout", "bsdtar"], { factor: 1.25 }),
    row("fetch oci: of Debian minbase", ["layout", "podman"], { factor: 0.45 }),
    row("fetch docker:// of the same, loopback", ["registry", "layout"], { factor: 1.2 }),
  ];
}

/** Three layers in one image beside the same three in an image each, which one command fetches one after the other. */
async function measureLayers(setting: Setting): Promise<Row[]> {
  const { host } = setting;
  const layers = await Promise.all(["one", "two", "three"].map((name) => filler(name)));
  const layout = (name: string) => join(BUILD, "bench/images", name);
  writeOciLayout(layout("layers"), { layers }, { ref: "latest" });
  const together = await push(setting, `oci:${layout("layers")}:latest`, "layers:1");
  const apart: string[] = [];
  for (const [at, layer] of layers.entries()) {
    writeOciLayout(layout(`layer${at}`), { layers: [layer] }, { ref: "latest" });
    apart.push(await push(setting, `oci:${layout(`layer${at}`)}:latest`, `layer${at}:1`));
  }
  const after = "gantry image rm $(gantry image list --no-legend --full | grep /layer | cut -d' ' -f1)";
  await must(host, `${FETCH} ${together} && ${after}`);
  const samples = await timeCommands(
    setting,
    [
      { name: "together", command: `${FETCH} ${together}`, after },
      { name: "apart", command: `${FETCH} ${apart.join(" ")}`, after },
    ],
    ROUNDS,
  );
  // At least 1.5 times as fast.
  return [compare(samples)("fetch docker:// of three layers", ["together", "apart"], { factor: 1 / 1.5 })];
}

/** 48 MB that gzip makes some 10 of: what a layer of programs and texts is like. */
async function filler(name: string): Promise<Buffer> {
  const words = Array.from({ length: 4096 }, (_, n) => `${name}${(n * 2654435761) % 4294967296} `);
  let seed = name.length;
  const next = () => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return words[seed % words.length] ?? "";
  };
  const body = Buffer.from(Array.from({ length: 100_000 }, next).join(""));
  return await tarOf(
    Array.from({ length: 32 }, (_, n) => ({ name: `${name}/${n}`, body: body.subarray(n) })),
  );
}

/** The most memory that the fetcher had while a layer of 2 GB went through it. */
async function measureMemory(setting: Setting): Promise<Row> {
  const { host } = setting;
  const program = join(import.meta.dirname, "large-registry.mjs");
  await using server = await host.spawn(["node", program, String(PORT + 1), String(LARGE)]);
  await server.until(/ready/, 120_000);
  const script = `${FETCH} docker://127.0.0.1:${PORT + 1}/large:1 >/run/large.id & fetching=$!
    while kill -0 $fetching 2>/dev/null; do
      pid=$(systemctl show -P MainPID 'gantry-fetch-*' | head -n1)
      [ "\${pid:-0}" -gt 0 ] && sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/$pid/status 2>/dev/null || true
      sleep 0.1
    done
    wait $fetching`;
  const peaks = (await must(host, script, 600_000)).split("\n").map(Number);
  await must(host, "gantry image rm $(cat /run/large.id)");
  // What a process has had at most only grows.
  const gantry = summarize([Math.max(...peaks)]);
  return { name: "memory of the fetcher, layer of 2 GB", unit: "kB", gantry, target: { limit: MEMORY } };
}

function compare(samples: ReadonlyMap<string, Samples>) {
  return (name: string, [ours, theirs]: readonly [string, string], target: Row["target"]): Row => ({
    name,
    unit: "ms",
    gantry: samplesOf(samples, ours),
    peer: { name: PEERS[theirs] ?? theirs, samples: samplesOf(samples, theirs) },
    ...(target === undefined ? {} : { target }),
  });
}

const PEERS: Readonly<Record<string, string>> = {
  bsdtar: "bsdtar -xzf",
  podman: "podman pull oci:",
  layout: "fetch oci:",
  apart: "one after the other",
};
