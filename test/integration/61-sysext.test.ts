/** The system extension on hosts with a read-only /usr, an empty /etc, and none of the libraries it brings. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { buildSysext } from "../../packaging/sysext.ts";
import { GantryError } from "../../src/base/errors.ts";
import { busyboxImage, writeOciArchive } from "../fixtures/images.ts";
import { type DebianRoot, debianRoot } from "../host/debian.ts";
import type { TestHost } from "../host/host.ts";
import { withHost } from "../host/with-host.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-sysext-"));
let image: Promise<string> | undefined;
after(() => rmSync(directory, { recursive: true }));

test("merged at boot: everything is there from the start", async (t) => {
  await withImageBasedHost(t, { suite: "trixie", etc: "empty" }, async (host) => {
    // /usr is a mount of its own, as on an image-based host.
    await host.put("/etc/fstab", "/usr /usr none bind,ro 0 0\n");
    await putExtension(host);
    await output(host, "systemctl enable systemd-sysext.service");
    await host.reboot();
    await assertReadOnly(host);
    assert.equal(await output(host, "systemctl is-active gantry-gc.timer"), "active");
    await assertWorks(host);
  });
});

test("merged and unmerged at run time, by a systemd that does not know EXTENSION_RELOAD_MANAGER=", async (t) => {
  await withImageBasedHost(t, { suite: "bookworm", etc: "debian" }, async (host) => {
    await output(host, "mount --bind /usr /usr && mount -o remount,bind,ro /usr");
    await putExtension(host);
    await output(host, "systemd-sysext merge && systemctl daemon-reload && systemctl reload dbus");
    await assertReadOnly(host);
    await assertWorks(host);
    await output(
      host,
      "systemctl stop gantry.slice gantry-agent && systemd-sysext unmerge && systemctl daemon-reload",
    );
    assert.equal(await output(host, "find /usr /etc -xdev -name '*gantry*' -not -name '*.d'"), "");
  });
});

/** Debian 12 itself, its dbus for one, does not come up without its /etc. */
type Kind = { readonly suite: string; readonly etc: "empty" | "debian" };

/** An empty /etc has PAM's configuration and what the test host writes; /usr has neither Node nor the libraries. */
async function withImageBasedHost(
  t: TestContext,
  { suite, etc }: Kind,
  body: (host: TestHost) => Promise<void>,
): Promise<void> {
  const root = await debianRoot(suite).catch((error) => skip(t, error));
  if (root === undefined) return;
  const tree = mkdtempSync(join(tmpdir(), "gantry-image-based-"));
  try {
    execFileSync("sh", ["-c", MASK, "sh", tree, root.directory, etc]);
    await withHost(t, { name: "sysext", root: root.directory, tree, node: false }, body);
  } finally {
    rmSync(tree, { recursive: true });
  }
}

/** A layer for overlayfs: /etc opaque, and whiteouts for the libraries. */
const MASK = `set -eu
cd "$1"
chmod 755 .
if [ "$3" = empty ]; then
  mkdir etc
  setfattr -n trusted.overlay.opaque -v y etc
  cp -a "$2/etc/pam.d" etc
fi
for library in "$2"/usr/lib/*/libstdc++.so.* "$2"/usr/lib/*/libarchive.so.*; do
  [ -e "$library" ] || continue
  path=\${library#"$2"/}
  mkdir -p "$(dirname "$path")"
  mknod "$path" c 0 0
done
ls usr/lib/*/libstdc++.so.6 >/dev/null`;

function skip(t: TestContext, error: unknown): DebianRoot | undefined {
  assert.ok(error instanceof GantryError && error.kind === "FetchFailed", String(error));
  t.skip(`the Debian archive cannot be reached: ${error.message}`);
  return undefined;
}

/** The image's name is that of its extension-release file. */
async function putExtension(host: TestHost): Promise<void> {
  image ??= buildSysext({ version: "0.0.1", directory });
  await host.put("/var/lib/extensions/gantry.raw", await readFile(await image));
}

async function assertReadOnly(host: TestHost): Promise<void> {
  const { status, stderr } = await host.exec(["touch", "/usr/bin/touched"]);
  assert.equal(status, 1);
  assert.match(stderr, /\/usr\/bin\/touched.*Read-only file system/);
  assert.match(await output(host, "systemd-sysext status"), /^\/usr +gantry/m);
  assert.equal((await host.exec(["sh", "-c", "command -v node"])).status, 127);
}

/** A pod by the command line, seen on the bus; units pass systemd's checks. */
async function assertWorks(host: TestHost): Promise<void> {
  const archive = join(directory, "busybox.tar");
  writeOciArchive(archive, await busyboxImage({ Cmd: ["/bin/sleep", "infinity"] }), { ref: "1" });
  await host.put("/tmp/busybox.tar", await readFile(archive));
  const run = "gantry run --insecure-options=image --name=web --detach oci-archive:/tmp/busybox.tar";
  await output(host, run);
  assert.match(await output(host, "gantry list"), /\bweb\b.*\brunning\b/);
  assert.equal(await output(host, "gantry exec web /bin/echo hello"), "hello");
  const call = "busctl call org.gantry1 /org/gantry1 org.gantry1.Manager ListPods";
  assert.match(await output(host, call), /"web"/);
  const verified = await host.exec([
    "bash",
    "-c",
    "cd /usr/lib/systemd/system && systemd-analyze verify --man=no gantry*",
  ]);
  assert.deepEqual([verified.status, verified.stderr], [0, ""]);
  assert.equal(await output(host, "systemctl --failed --no-legend"), "");
}

async function output(host: TestHost, script: string): Promise<string> {
  const result = await host.exec(["bash", "-c", script], { timeoutMs: 60_000 });
  assert.equal(result.status, 0, `${script}\n${result.stdout}${result.stderr}`);
  return result.stdout.trim();
}
