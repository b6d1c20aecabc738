/** Servers of ACIs that are silent, slow or not there: given up after the configured time, by their URL. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AciHost, ARCH, withAciHost } from "../fixtures/aci-host.ts";
import type { Resource } from "../fixtures/aci-site.ts";
import { connectClient } from "../fixtures/agent.ts";
import { busyboxEntries } from "../fixtures/trees.ts";

const IMAGE = `/example.com/app-latest-${ARCH}.aci`;
const URL_OF_IMAGE = `https://dl\\.example\\.com${IMAGE.replaceAll(".", "\\.")}`;

type Case = {
  /** What is served in another way than a good server does it. */
  readonly serve: Readonly<Record<string, Resource>>;
  readonly limits: object;
  readonly source?: string;
  readonly insecure?: readonly string[];
  readonly text: RegExp;
};

const INSECURE = ["image", "tls"];

const body = "x".repeat(100_000);

const CASES: readonly Case[] = [
  {
    serve: { [IMAGE]: { body, stall: 999 } },
    limits: { idle: 3, attempts: 1 },
    text: new RegExp(`"${URL_OF_IMAGE}" is too slow: no byte within 3 s`),
  },
  {
    serve: { [IMAGE]: { mute: true } },
    limits: { idle: 3, attempts: 2 },
    text: new RegExp(`"${URL_OF_IMAGE}": no answer within 3 s`),
  },
  {
    serve: { [IMAGE]: { body, drip: true } },
    limits: { rate: 100_000, slow: 1, attempts: 1 },
    text: new RegExp(`"${URL_OF_IMAGE}" is too slow: \\d+ bytes in \\d+\\.\\d s`),
  },
  {
    serve: {},
    limits: { connect: 1, attempts: 1 },
    source: "https://dl.example.com:444/app.aci",
    text: /"https:\/\/dl\.example\.com:444\/app\.aci": no connection within 1 s/,
  },
  {
    serve: { "/app": { body, drip: true } },
    limits: { document: 2 },
    text: /"https:\/\/example\.com\/app" was not there within 2 s/,
  },
  {
    serve: { [`${IMAGE}.asc`]: { mute: true } },
    limits: { idle: 3, attempts: 1 },
    insecure: ["tls"],
    text: new RegExp(`"${URL_OF_IMAGE}\\.asc": no answer within 3 s`),
  },
];

async function stored({ host }: AciHost): Promise<string> {
  const script = `cd /var/lib/gantry && find blobs layers images inbox -mindepth 1 | sort
    systemctl list-units --all --no-legend --plain 'gantry-fetch-*' 'gantry-unpack-*'; systemctl --failed --no-legend`;
  return (await host.exec(["sh", "-c", script])).stdout;
}

test("a server of ACIs that stalls, drips, is silent or takes no connection is given up, and nothing is stored", async (t) => {
  await withAciHost(t, { name: "appc-limits" }, async (acis) => {
    const { host } = acis;
    const configure = (limits: object) =>
      host.put("/etc/gantry/registries.d/limits.json", JSON.stringify({ version: 1, limits }));
    const fetch = (source: string, insecure: readonly string[] = INSECURE) =>
      host.exec(["gantry", "fetch", `--insecure-options=${insecure}`, source]);
    await host.exec(["mkdir", "-p", "/etc/gantry/registries.d"]);
    await fetch("example.com/none");
    const empty = await stored(acis);
    for (const { serve, limits, source = "example.com/app", insecure, text } of CASES) {
      await acis.publish("app", busyboxEntries("rootfs/"));
      for (const [path, resource] of Object.entries(serve)) acis.serve(path, resource);
      await configure(limits);
      const { status, stdout, stderr } = await fetch(source, insecure);
      assert.deepEqual([status, stdout], [1, ""], stderr);
      assert.match(stderr, text);
      assert.equal(await stored(acis), empty);
      for (const path of Object.keys(serve)) acis.serve(path, undefined);
    }
    acis.serve(IMAGE, { body, stall: 999 });
    await configure({ idle: 3, attempts: 1 });
    await using client = await connectClient(host);
    const options = { insecure: [...INSECURE] };
    const operation = await client.call("FetchImage", { source: "example.com/app", options });
    const { Error: error } = await client.ended(operation);
    assert.equal(error[0], "org.gantry1.Error.TimedOut", error[1]);
    assert.equal(await stored(acis), empty);
    await acis.publish("app", busyboxEntries("rootfs/"));
    const { status, stderr } = await fetch("example.com/app");
    assert.equal(status, 0, stderr);
  });
});
