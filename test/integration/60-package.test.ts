/** The Debian packages on fresh hosts of both suites: installed, used, upgraded under a running pod, purged. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { buildDeb, FLAVOURS, type Flavour } from "../../packaging/deb.ts";
import { GantryError } from "../../src/base/errors.ts";
import { busyboxImage, writeOciArchive } from "../fixtures/images.ts";
import { until } from "../fixtures/until.ts";
import { BOOTABLE, type DebianRoot, debianRoot } from "../host/debian.ts";
import type { TestHost } from "../host/host.ts";
import { withHost } from "../host/with-host.ts";

const OLD = "0.0.1";
const NEW = "0.0.2";
/** The apps of a pod from the command line and of an installed one. */
const APPS = ["gantry-web.busybox.service", "gantry-kept.app.service"];

const RUN = "gantry run --insecure-options=image --detach";
const IMAGE = "oci-archive:/tmp/busybox.tar";
const LIST_PODS = "busctl call org.gantry1 /org/gantry1 org.gantry1.Manager ListPods";
const directory = mkdtempSync(join(tmpdir(), "gantry-packages-"));
const packages = new Map<string, Promise<string>>();
after(() => rmSync(directory, { recursive: true }));

type Case = {
  readonly flavour: Flavour["suffix"];
  readonly suite: string;
  readonly libraries: readonly string[];
};

const DEBIAN_13: Case = {
  flavour: "",
  suite: "trixie",
  libraries: ["libarchive13t64", "libseccomp2", "libssl3t64", "nodejs", "zlib1g"],
};
const DEBIAN_12: Case = {
  flavour: "~bundled",
  suite: "bookworm",
  libraries: ["libarchive13", "libseccomp2", "libssl3", "zlib1g"],
};

for (const one of [DEBIAN_13, DEBIAN_12])
  test(`gantry${one.flavour} on Debian ${one.suite}: install, run, upgrade under a running pod, purge`, async (t) => {
    await withFreshHost(t, one, async (host) => {
      await output(host, "mkdir -p /var/lib/systemd/timers");
      const before = await leftovers(host);
      await install(host, one.flavour, OLD);
      assert.equal(await output(host, "gantry version"), "gantry 0.1.0");
      await verifyUnits(host);
      await runPods(host);
      await upgrade(host, one.flavour);
      await output(host, "apt-get purge --yes gantry");
      await until(
        async () => (await leftovers(host)).filter((line) => !before.includes(line)),
        (left) => left.length === 0,
      );
    });
  });

test("purge takes the data directory itself, too, and a package that was purged can be installed again", async (t) => {
  await withFreshHost(t, DEBIAN_13, async (host) => {
    // On a test host it is a mount point, which has to stay.
    await output(host, "umount /var/lib/gantry && rmdir /var/lib/gantry");
    const find = "find / -xdev -name '*gantry*'";
    const before = await output(host, find);
    for (const _ of [1, 2]) {
      await install(host, "", OLD);
      assert.equal(await output(host, "stat --format=%a:%u:%g /var/lib/gantry"), "711:0:0");
      await output(host, "apt-get purge --yes gantry");
      assert.equal(await output(host, find), before);
    }
  });
});

test("where policy-rc.d forbids it, a package starts and stops nothing", async (t) => {
  await withFreshHost(t, DEBIAN_13, async (host) => {
    await host.put("/usr/sbin/policy-rc.d", "#!/bin/sh\necho $* >>/run/asked\nexit 101\n", 0o755);
    await install(host, "", OLD);
    assert.equal(await output(host, "systemctl is-active gantry-gc.timer || :"), "inactive");
    await runPods(host);
    const pids = await mainPids(host, APPS);
    await output(host, "apt-get remove --yes gantry");
    assert.deepEqual(await mainPids(host, APPS), pids);
    const asked = await output(host, "cat /run/asked");
    assert.match(asked, /^gantry-gc\.timer reload-or-restart$/m);
    assert.match(asked, /^gantry-gc\.timer stop$/m);
  });
});

test("from the flavour with a runtime to the one without is an upgrade, and pods run on", async (t) => {
  await withFreshHost(t, DEBIAN_13, async (host) => {
    await install(host, "~bundled", NEW);
    await output(host, "test -x /usr/lib/gantry/node");
    await runPods(host);
    await upgrade(host, "");
    await output(host, "test ! -e /usr/lib/gantry/node");
  });
});

async function withFreshHost(
  t: TestContext,
  { suite, libraries }: Case,
  body: (host: TestHost) => Promise<void>,
): Promise<void> {
  const root = await debianRoot(suite, [...BOOTABLE, ...libraries]).catch((error) => skip(t, error));
  if (root === undefined) return;
  await withHost(t, { name: "package", root: root.directory, tree: "", node: false }, body);
}

function skip(t: TestContext, error: unknown): DebianRoot | undefined {
  assert.ok(error instanceof GantryError && error.kind === "FetchFailed", String(error));
  t.skip(`the Debian archive cannot be reached: ${error.message}`);
  return undefined;
}

async function install(host: TestHost, suffix: Flavour["suffix"], version: string): Promise<void> {
  await host.put("/tmp/new.deb", await readFile(await packaged(suffix, version)));
  await output(host, "apt-get install --yes /tmp/new.deb");
  await output(host, "dpkg --verify gantry");
}

/** Each package is built once for all tests. */
function packaged(suffix: Flavour["suffix"], version: string): Promise<string> {
  const key = `${version}${suffix}`;
  const flavour = FLAVOURS.find((one) => one.suffix === suffix);
  assert.ok(flavour !== undefined);
  const made = packages.get(key) ?? buildDeb(flavour, { version, directory });
  packages.set(key, made);
  return made;
}

/** Manual pages are not on a minimal host; test/dist/manual.test.ts looks for them. */
async function verifyUnits(host: TestHost): Promise<void> {
  const units = await readdir("units");
  const verified = await host.exec(["systemd-analyze", "verify", "--man=no", ...units]);
  assert.deepEqual([verified.status, verified.stderr], [0, ""]);
  assert.equal(await output(host, "systemctl is-active gantry-gc.timer"), "active");
  assert.equal(await output(host, "systemctl start gantry-gc.service && systemctl --failed --no-legend"), "");
}

/** One from the command line, which the agent sees too, and one that is installed and enabled. */
async function runPods(host: TestHost): Promise<void> {
  const archive = join(directory, "busybox.tar");
  writeOciArchive(archive, await busyboxImage({ Cmd: ["/bin/sleep", "infinity"] }), { ref: "1" });
  await host.put("/tmp/busybox.tar", await readFile(archive));
  await output(host, `${RUN} --name=web ${IMAGE} --name=busybox`);
  assert.match(await output(host, "gantry list"), /\bweb\b.*\brunning\b/);
  assert.match(await output(host, LIST_PODS), /"web"/);
  const images = JSON.parse(await output(host, "gantry image list --format=json")) as {
    readonly id: string;
  }[];
  const apps = [{ name: "app", image: { id: images[0]?.id } }];
  await host.put("/tmp/kept.json", JSON.stringify({ acKind: "PodManifest", acVersion: "0.8.11", apps }));
  await output(host, "gantry install --insecure-options=image /tmp/kept.json");
  await output(host, "systemctl enable --now gantry@kept");
  for (const pid of await mainPids(host, APPS))
    assert.equal(await output(host, `cat /proc/${pid}/comm`), "sleep");
}

/** The pods stay up and work with the new programs, and the agent that was serving is the new one. */
async function upgrade(host: TestHost, flavour: Flavour["suffix"]): Promise<void> {
  await packaged(flavour, NEW);
  // An agent that serves at the time of the upgrade, and leaves by itself neither before nor after it.
  const dropIns = "/etc/systemd/system/gantry-agent.service.d";
  await host.put(`${dropIns}/idle.conf`, "[Service]\nEnvironment=GANTRY_AGENT_IDLE=600000\n");
  await output(host, `systemctl daemon-reload && systemctl stop gantry-agent && ${LIST_PODS}`);
  const pids = await mainPids(host, APPS);
  const agent = await mainPids(host, ["gantry-agent.service"]);
  await install(host, flavour, NEW);
  assert.deepEqual(await mainPids(host, APPS), pids);
  assert.notDeepEqual(await mainPids(host, ["gantry-agent.service"]), agent);
  assert.equal(await output(host, "dpkg-query --show gantry"), `gantry\t${NEW}${flavour}`);
  assert.equal(await output(host, "gantry exec web /bin/echo hello"), "hello");
  await output(host, "gantry stop web && systemctl restart gantry@kept");
  assert.match(await output(host, "gantry list"), /\bweb\b.*\bexited\b/);
  await output(host, `${RUN} --name=later ${IMAGE}`);
  await output(host, `rm -r ${dropIns} && systemctl daemon-reload`);
}

async function mainPids(host: TestHost, units: readonly string[]): Promise<string[]> {
  const pids = await output(host, `systemctl show --property=MainPID --value ${units.join(" ")} | grep .`);
  const list = pids.split("\n");
  assert.ok(list.length === units.length && !list.includes("0"), `${units.join(" ")}: ${pids}`);
  return list;
}

/** Everything by which a package could outlive itself: files, users, units, processes and mounts. */
async function leftovers(host: TestHost): Promise<string[]> {
  const bookkeeping = ["/var/log", "/var/cache", "/var/lib/apt", "/var/lib/dpkg", "/root", "/deb"];
  const pruned = bookkeeping.map((path) => `-path ${path}`).join(" -o ");
  const found = await output(
    host,
    `find / /var/lib/gantry -xdev \\( ${pruned} \\) -prune -o -print | sort
     find /run -xdev -path '*gantry*'
     cat /etc/passwd /etc/group
     systemctl list-units --all --no-legend --plain 'gantry*' '*gantry1*' | cut -d ' ' -f 1
     ps -e -o args= | grep /usr/lib/gantry/ | grep -v grep
     grep /var/lib/gantry/ /proc/self/mountinfo
     true`,
  );
  return found.split("\n");
}

async function output(host: TestHost, script: string): Promise<string> {
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const result = await host.exec(["bash", "-c", script], { env, timeoutMs: 120_000 });
  assert.equal(result.status, 0, `${script}\n${result.stdout}${result.stderr}`);
  return result.stdout.trim();
}
