/** A fetcher that somebody has taken over: what it can't reach, and what it can't talk the manager into. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type FetchHost, fetchRemains, untilUnit, withFetchHost } from "../fixtures/fetch-host.ts";

/** systemd-analyze's exposure of the fetcher's unit: 0.0 is locked up, 10.0 is free. */
const EXPOSURE = 1.5;

/** A shell in the fetcher's place: every attempt and what came of it is an event, and then it fails. */
const SHELL = String.raw`#!/bin/bash
say() { printf '{"event":"log","text":"%s"}\n' "$*"; }
try() { local what=$1; shift; if "$@" >/dev/null 2>&1; then say "$what WORKED"; else say "$what refused"; fi; }
reads() { for path in "$@"; do try "read $path" cat "$path"; try "list $path" ls -A "$path"; done; }
writes() { for path in "$@"; do try "write $path" sh -c "echo x >$path"; done; }
read -r request
reads /etc/shadow /etc/passwd /etc/machine-id /etc/gantry /etc/gantry/trustedkeys /var/lib/gantry /home /root /srv /boot
reads /run/gantry /run/systemd/private /run/dbus /proc/1/environ /proc/sys/kernel/hostname /dev/shm /dev/mem /dev/kmsg /sys/kernel
writes /x /usr/x /etc/x /tmp/x /var/tmp/x /run/x /dev/x /dev/shm/x /inbox/layers/x /inbox/blobs/x /proc/sys/kernel/hostname
try "write inbox" sh -c 'echo x >/inbox/x'
try "replace blobs" sh -c 'mv /inbox/blobs /inbox/gone'
try "replace sha256" sh -c 'rmdir /inbox/blobs/sha256'
try "replace layers" sh -c 'mv /inbox/layers /inbox/gone'
socket() { python3 -c "import socket; socket.socket(socket.$1, socket.SOCK_$2)"; }
for kind in "AF_UNIX STREAM" "AF_NETLINK RAW" "AF_PACKET RAW" "AF_VSOCK STREAM" "AF_ALG SEQPACKET"; do try "socket $kind" socket $kind; done
try "socket AF_INET STREAM" socket AF_INET STREAM
try "become root" python3 -c "import os; os.setuid(0)"
try "unshare" unshare -Ur true
try "mount" mount -t tmpfs none /tmp
try "device" mknod /inbox/device b 7 0
try "signal" kill -0 1
try "set-id" sh -c 'cp /usr/bin/true /inbox/true && chmod 4755 /inbox/true'
say "processes $(ls -d /proc/[0-9]* | wc -l)"
say "capabilities $(grep CapBnd /proc/self/status | tr -d '\t')"
say "user $([ $(id -u) -ge 61184 ] && echo dynamic || id -u)"
printf '{"event":"failed","kind":"FetchFailed","text":"that was all"}\n'
exit 1
`;

test("a shell in the fetcher's place reads no secret, writes to its inbox only, and reaches no socket but the internet's", async (t) => {
  await withFetchHost(t, { name: "shell" }, async (fetches) => {
    await fetches.replace(SHELL);
    await fetches.shell(
      "mkdir -p /etc/gantry/trustedkeys && echo key >/etc/gantry/trustedkeys/key; chmod -R a+rX /etc/gantry",
    );
    const { status, stdout, stderr } = await fetches.fetch("--format=json");
    assert.equal(status, 1, stderr);
    const texts: string[] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
      .flatMap(({ event, text }) => (event === "log" ? [text] : []));
    assert.ok(texts.length > 50, stdout);
    const worked = texts.filter((text) => text.endsWith("WORKED")).map((text) => text.replace(" WORKED", ""));
    // Of /run, /root, /home and the like only empty directories of its own root are there; nothing can be written to them.
    assert.deepEqual(worked.sort(), ["socket AF_INET STREAM", "write inbox"], texts.join("\n"));
    assert.ok(texts.includes("capabilities CapBnd:0000000000000000"), texts.join("\n"));
    assert.ok(texts.includes("user dynamic"), texts.join("\n"));
    assert.match(stderr, /^gantry: that was all$/m);
    assert.equal(await fetchRemains(fetches), "");
  });
});

test("the fetcher's unit is locked up", async (t) => {
  await withFetchHost(t, { name: "exposure" }, async (fetches) => {
    await fetches.behave({ resolve: "stall" });
    const fetching = await fetches.start();
    await untilUnit(fetches, "fetch");
    const unit = await fetches.shell(
      "systemctl list-units --no-legend --plain 'gantry-fetch-*' | cut -d' ' -f1",
    );
    const { stdout } = await fetches.host.exec(["systemd-analyze", "security", "--no-pager", unit]);
    const exposure = Number(/Overall exposure level for .*: ([0-9.]+)/.exec(stdout)?.[1]);
    t.diagnostic(`exposure ${exposure}`);
    assert.ok(exposure > 0 && exposure <= EXPOSURE, stdout);
    await fetches.host.exec(["pkill", "-INT", "-f", "cli.*fetch"]);
    assert.equal((await fetching.ended).status, 1);
  });
});

/** A shell that answers with a layout whose parts lead elsewhere. */
function liar(script: string): string {
  return `#!/bin/bash
read -r request
cd /inbox
cp -r /usr/share/layout/oci-layout /usr/share/layout/index.json .
cp /usr/share/layout/blobs/sha256/* blobs/sha256/
${script}
digest=$(sed 's/.*"digest":"\\([^"]*\\)".*/\\1/' /usr/share/layout/index.json)
size=$(stat -c %s "blobs/sha256/$(echo "$digest" | cut -d: -f2)")
printf '{"event":"resolved","manifest":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%s},"indexes":[],"signatures":[],"host":"liar"}\\n' "$digest" "$size"
sleep 1000
`;
}

const LIES: readonly (readonly [what: string, script: string, told: RegExp])[] = [
  ["a link to the shadow file", "ln -sf /etc/shadow index.json", /index\.json" is not a regular file/],
  [
    "a link for a blob",
    "f=$(ls blobs/sha256/* | head -1); for f in blobs/sha256/*; do rm $f; ln -s /etc/shadow $f; done",
    /is not a regular file/,
  ],
  ["a FIFO for a document", "rm index.json; mkfifo index.json", /index\.json" is not a regular file/],
  ["a document of a gigabyte", "truncate -s 1G index.json", /index\.json.* bytes, the limit is/],
  ["deep nesting", "(printf '%0100000d' 0 | tr 0 '['; ) >index.json", /is not valid JSON/],
  [
    "a key of JavaScript's",
    `echo '{"schemaVersion":2,"manifests":[{"__proto__":{"size":1}}]}' >index.json`,
    /malformed at "manifests\.0/,
  ],
  [
    "bytes of another digest",
    "for f in blobs/sha256/*; do tr '{' '[' <$f >x; mv x $f; done",
    /should have digest|is malformed|should have \d+ bytes/,
  ],
  ["nothing at all", "rm -r oci-layout index.json", /has no oci-layout/],
];

test("what a fetcher lies about is found out: no link is followed, nothing is read to its end that has none", async (t) => {
  await withFetchHost(t, { name: "lies" }, async (fetches) => {
    for (const [what, script, told] of LIES) {
      await fetches.replace(liar(script));
      const { status, stdout, stderr } = await fetches.fetch();
      assert.deepEqual([status, stdout], [1, ""], `${what}: ${stderr}`);
      assert.match(stderr, told, what);
      assert.doesNotMatch(stderr, /root:/, what);
      await assertNothing(fetches, what);
    }
  });
});

const BABBLE: readonly (readonly [what: string, script: string, told: RegExp])[] = [
  ["no JSON", "echo hello", /the fetcher wrote what is no event/],
  ["an unknown event", `echo '{"event":"reboot"}'`, /the fetcher wrote what is no event/],
  ["a line without end", "tr '\\\\0' x </dev/zero", /a line of over \d+ bytes/],
  [
    "lines without end",
    `while :; do echo '{"event":"log","text":"x"}'; done & sleep 3; kill $!; exit 1`,
    /ended without a result/,
  ],
  [
    "a layer before the image",
    `echo '{"event":"layer","digest":"sha256:${"0".repeat(64)}","host":"x"}'; exit 0`,
    /ended without a result/,
  ],
  ["done before anything", `echo '{"event":"done"}'; exit 0`, /ended before it was told to/],
];

test("what a fetcher babbles ends the fetch, within bounds", async (t) => {
  await withFetchHost(t, { name: "babble" }, async (fetches) => {
    for (const [what, script, told] of BABBLE) {
      await fetches.replace(`#!/bin/bash\nread -r request\n${script}\n`);
      const { status, stdout, stderr } = await fetches.fetch();
      assert.deepEqual([status, stdout], [1, ""], `${what}: ${stderr.slice(0, 500)}`);
      assert.match(stderr, told, what);
      assert.ok(stderr.length < 200_000, what);
      await assertNothing(fetches, what);
    }
  });
});

async function assertNothing(fetches: FetchHost, what: string): Promise<void> {
  assert.equal(await fetchRemains(fetches), "", what);
  assert.equal(
    await fetches.shell("ls -A /var/lib/gantry/layers /var/lib/gantry/images | grep sha || true"),
    "",
    what,
  );
}
