/** gantry-verifier in its unit: what it may, what a compromised one may not, and what becomes of a verifier that fails. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { newKeyring } from "../fixtures/gpg.ts";
import { writeAci } from "../fixtures/images.ts";
import { busyboxEntries } from "../fixtures/trees.ts";
import type { Result, TestHost } from "../host/host.ts";
import { withHost } from "../host/with-host.ts";

/** systemd-analyze's exposure of the verifier's unit: 0.0 is locked up, 10.0 is free. */
const EXPOSURE = 1.2;
const PROGRAM = "/usr/lib/gantry/gantry-verifier";
const ACI = "/root/app.aci";
const NAME = "example.com/app";

const ring = newKeyring();
const scratch = mkdtempSync(join(tmpdir(), "gantry-verifier-"));
after(() => {
  ring[Symbol.dispose]();
  rmSync(scratch, { recursive: true });
});
const alice = ring.generate("Alice <alice@example.com>");
const file = join(scratch, "app.aci");
await writeAci(file, busyboxEntries("rootfs/"), { name: NAME, compression: "gzip" });
const aci = readFileSync(file);

/** A host with a signed ACI that only root may read, and the key it is signed by. */
async function withSigned(
  t: TestContext,
  name: string,
  body: (host: TestHost) => Promise<void>,
): Promise<void> {
  await withHost(t, { name: `verifier-${name}` }, async (host) => {
    await host.put(ACI, aci);
    await host.put(`${ACI}.asc`, ring.sign(aci, { keys: [alice] }));
    await output(host, "chmod 0700 /root && chmod 0600 /root/app.aci /root/app.aci.asc");
    await output(host, `mkdir -p /etc/gantry/trustedkeys/prefix.d/${NAME}`);
    await host.put(`/etc/gantry/trustedkeys/prefix.d/${NAME}/${alice}`, ring.export(alice));
    await body(host);
  });
}

async function output(host: TestHost, script: string): Promise<string> {
  const { status, stdout, stderr } = await host.exec(["sh", "-c", script]);
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

/** Puts a shell script in the place of the verifier. */
async function replace(host: TestHost, script: string): Promise<void> {
  await output(host, `rm ${PROGRAM}`);
  await host.put(PROGRAM, `#!/bin/sh\n${script}\n`);
  await output(host, `chmod 0755 ${PROGRAM}`);
}

async function assertRefused(host: TestHost, status: number, ...texts: string[]): Promise<Result> {
  const result = await host.exec(["gantry", "fetch", ACI]);
  assert.equal(result.status, status, result.stderr);
  for (const text of texts) assert.ok(result.stderr.includes(text), `${result.stderr}\nlacks ${text}`);
  return result;
}

/** Nothing of the image, no unit, nothing unfinished. */
async function assertNothingLeft(host: TestHost): Promise<void> {
  const script = `ls -A /var/lib/gantry/inbox /var/lib/gantry/images /var/lib/gantry/layers | grep -v '^/\\|^$'
    systemctl list-units --all --no-legend 'gantry-verify-*' 'gantry-unpack-*'; systemctl --failed --no-legend; true`;
  assert.equal(await output(host, script), "");
}

test("a signed ACI that only root can read is verified by a user of its own, and runs", async (t) => {
  await withSigned(t, "good", async (host) => {
    const id = await output(host, `gantry fetch ${ACI}`);
    const { verdict } = JSON.parse(await output(host, `gantry image inspect ${id}`));
    assert.deepEqual(
      [verdict.kind, verdict.name, verdict.witnesses[0].fingerprint, verdict.witnesses[0].userIds],
      ["signed", NAME, alice, ["Alice <alice@example.com>"]],
    );
    const ran = await host.exec(["gantry", "run", "--net=none", id, "--exec=/bin/echo", "--", "trusted"]);
    assert.deepEqual([ran.status, ran.stdout.trim()], [0, "trusted"], ran.stderr);
    const left = await output(host, "ls -A /var/lib/gantry/inbox; systemctl --failed --no-legend");
    assert.equal(left, "");
  });
});

test("refusals by the policy: another key, another name's key, changed bytes", async (t) => {
  await withSigned(t, "refusals", async (host) => {
    await host.put(`${ACI}.asc`, ring.sign(Buffer.from("other bytes"), { keys: [alice] }));
    await assertRefused(host, 5, `"${NAME}`, "is not trusted", "digest did not match");
    const keys = "/etc/gantry/trustedkeys/prefix.d";
    await output(host, `mv ${keys}/${NAME} ${keys}/${NAME}bar`);
    await assertRefused(host, 5, `no rule and no key is for "${NAME}"`);
    await output(host, `mkdir -p /etc/gantry/trust.d && echo '{' > /etc/gantry/trust.d/broken.json`);
    await assertRefused(host, 1, "/etc/gantry/trust.d/broken.json", "is not JSON");
    await assertNothingLeft(host);
  });
});

test("a signature from elsewhere is named: on the command line, and on the bus by a user who may fetch", async (t) => {
  await withSigned(t, "named", async (host) => {
    await output(host, `mv ${ACI}.asc /root/elsewhere.sig`);
    await assertRefused(host, 5, "carries no openpgp signature");
    await output(host, `cd /root && gantry fetch --signature=elsewhere.sig ${ACI}`);
    const two = await host.exec(["gantry", "fetch", "--signature=/root/elsewhere.sig", ACI, ACI]);
    assert.deepEqual([two.status, /--signature is about one image/.test(two.stderr)], [2, true]);
    const missing = await host.exec(["gantry", "fetch", "--signature=/root/none", ACI]);
    assert.deepEqual([missing.status, missing.stderr], [2, 'gantry: there is no signature "/root/none"\n']);
    await output(host, "gantry image rm $(gantry image list --no-legend --full | cut -d' ' -f1)");
    const wishes = `'sa{sv}' ${ACI} 1 signature s /root/elsewhere.sig`;
    await output(host, `busctl call org.gantry1 /org/gantry1 org.gantry1.Manager FetchImage ${wishes}`);
    const list = "gantry image list --no-legend --full";
    await output(
      host,
      `for try in $(seq 100); do ${list} | grep -q signed && exit 0; sleep 0.1; done; ${list}; exit 1`,
    );
  });
});

test("the verifier's unit is locked up, and a fetch that is killed with it is cleaned by gc", async (t) => {
  await withSigned(t, "exposure", async (host) => {
    await replace(host, "exec sleep 60");
    const fetching = await host.spawn(["gantry", "fetch", ACI]);
    const unit = await output(
      host,
      "until systemctl list-units --plain --no-legend 'gantry-verify-*' | grep -o '^gantry-verify-[^ ]*'; do sleep 0.05; done",
    );
    const { stdout } = await host.exec(["systemd-analyze", "security", "--no-pager", unit]);
    const exposure = Number(/Overall exposure level for .*: ([0-9.]+)/.exec(stdout)?.[1]);
    t.diagnostic(`exposure ${exposure}`);
    assert.ok(exposure <= EXPOSURE, stdout);
    await host.exec(["pkill", "-KILL", "-f", "cli.*fetch"]);
    assert.notEqual((await fetching.ended).status, 0);
    await output(host, "gantry gc");
    await assertNothingLeft(host);
  });
});

test("a compromised verifier reads nothing of the host but what it was handed, writes nothing and reaches nobody", async (t) => {
  await withSigned(t, "compromised", async (host) => {
    await output(host, "mkdir -p /var/lib/gantry/blobs && echo secret > /var/lib/gantry/blobs/secret");
    await replace(
      host,
      `try() { if "$@" >/dev/null 2>&1; then echo "could: $*" >&2; fi; }
      for path in /etc/shadow /etc/passwd /etc/gantry /var/lib/gantry /var/lib/gantry/blobs/secret /root ${ACI} \\
                  /run/systemd/private /run/dbus/system_bus_socket /proc/1/environ /home /sys/kernel; do
        try cat $path; try ls $path
      done
      for path in / /usr /etc /tmp/x/y /var /run /request /dev/shm; do try touch $path/written; done
      try busctl list; try mount -t tmpfs none /usr; try unshare -Ur true; try chroot /usr; try kill -0 1
      try curl http://127.0.0.1; try busybox nc -w 1 127.0.0.1 22; try busybox ping -c 1 127.0.0.1
      id -u >&2; grep -E '^Cap(Prm|Eff|Bnd|Amb)' /proc/self/status >&2; ls /sys/class/net >&2
      cat /request > /dev/null && head -c 1 > /dev/null && echo "could read what it was handed" >&2
      exit 1`,
    );
    await assertRefused(host, 1, "the verifier", "ended with status 1");
    const said = await output(host, "journalctl --sync; journalctl -o cat -t gantry-verifier");
    const lines = said.split("\n");
    assert.ok(lines.includes("could read what it was handed"), said);
    assert.deepEqual(
      lines.filter((line) => line.startsWith("could: ")),
      [],
    );
    assert.ok(!lines.includes("0"), `it ran as root:\n${said}`);
    const capabilities = lines.filter((line) => line.startsWith("Cap"));
    assert.equal(capabilities.length, 4);
    for (const line of capabilities) assert.match(line, /\t0{16}$/);
    await assertNothingLeft(host);
  });
});

test("what a verifier says that fits no request is refused, however much it is", async (t) => {
  await withSigned(t, "answers", async (host) => {
    const wrong: readonly [script: string, ...texts: string[]][] = [
      ["exit 0", "an answer that can't be read"],
      ["echo '{}'", "an answer that can't be read"],
      [`echo '{"version":1,"verb":"verify","keys":[],"signatures":[]}'`, "does not fit its request"],
      // Whoever claims to be a key that was never handed over.
      [
        `echo '{"version":1,"verb":"verify","keys":[["${alice}"]],"signatures":[{"signers":[{"key":1,"fingerprint":"${alice}","userIds":[]}],"problems":[]}]}'`,
        "does not fit its request",
      ],
      ["yes", "the verifier", "no verdict"],
      ["kill -SEGV $$", "the verifier", "signal"],
    ];
    for (const [script, ...texts] of wrong) {
      await replace(host, script);
      await assertRefused(host, 1, ...texts);
      await assertNothingLeft(host);
    }
  });
});

test("trust is taken over from rkt and from containers' tools, and by nobody but root", async (t) => {
  await withHost(t, { name: "verifier-import" }, async (host) => {
    await host.put(ACI, aci);
    await host.put(`${ACI}.asc`, ring.sign(aci, { keys: [alice] }));
    await output(
      host,
      `mkdir -p /etc/rkt/trustedkeys/prefix.d/${NAME} /etc/containers/registries.d /etc/pki`,
    );
    await host.put(`/etc/rkt/trustedkeys/prefix.d/${NAME}/${alice}`, ring.export(alice));
    await host.put("/etc/pki/alice.asc", ring.export(alice));
    const signedBy = { type: "signedBy", keyType: "GPGKeys", keyPath: "/etc/pki/alice.asc" };
    const policy = { default: [{ type: "reject" }], transports: { docker: { "r.example": [signedBy] } } };
    await host.put("/etc/containers/policy.json", JSON.stringify(policy));
    await host.put(
      "/etc/containers/registries.d/r.yaml",
      "docker:\n  r.example:\n    lookaside: https://s.example\n",
    );
    const asUser = await host.user(["gantry", "trust", "import", "rkt"]);
    assert.deepEqual([asUser.status, /only root can/.test(asUser.stderr)], [6, true], asUser.stderr);
    await assertRefused(host, 5, "no rule and no key");
    const path = `/etc/gantry/trustedkeys/prefix.d/${NAME}/${alice}`;
    assert.equal(await output(host, "gantry trust import rkt"), `wrote ${path}`);
    await output(host, `gantry fetch ${ACI}`);
    const wrote = await output(host, "gantry trust import containers");
    assert.match(
      wrote,
      /named\.d\/alice\.asc-[0-9a-f]{12}\n(wrote .*trust\.d\/.*\n){2}wrote .*registries\.d\/containers\.json$/,
    );
    // The policy's default is about every name, and the rule of a scope goes before the keystore's keys.
    await assertRefused(host, 5, "rejects every image");
    const wrong = await host.exec(["gantry", "trust", "import", "docker"]);
    assert.deepEqual([wrong.status, /rkt, containers/.test(wrong.stderr)], [2, true]);
  });
});
