/** Trust at every start: what signed images are judged by, and what a change of keys and rules does to pods. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connectClient } from "../fixtures/agent.ts";
import { putPolkitRule } from "../fixtures/polkit.ts";
import { ACI, expiredKey, installWeb, KEY, NAME, type SignedHost, withSigned } from "../fixtures/signed.ts";

const WITHOUT_NODE = "for f in cli agent; do mv /usr/lib/gantry/$f.cjs /usr/lib/gantry/$f.away; done";
const WITH_NODE = "for f in cli agent; do mv /usr/lib/gantry/$f.away /usr/lib/gantry/$f.cjs; done";

type Told = { readonly status: string; readonly text: string };

async function unitState({ shell }: SignedHost, unit: string): Promise<Told> {
  const status = await shell(`systemctl show -P ExecMainStatus ${unit}`);
  return { status, text: await shell(`systemctl show -P StatusText ${unit}`) };
}

async function events({ shell }: SignedHost, id: string): Promise<string> {
  return await shell(`journalctl --sync; journalctl -o cat MESSAGE_ID=6f2f5c0de1b44a5f9d1a7c2b30c7e9${id}`);
}

test("trust: an installed pod starts without Node, is refused once its key is gone, and starts again with it", async (t) => {
  await withSigned(t, { name: "trust-installed" }, async (signed) => {
    const { host, shell, output, alice } = signed;
    await signed.trustAlice();
    await installWeb(signed, await signed.fetchWeb());
    await shell(`${WITHOUT_NODE}; systemctl start gantry@web && systemctl restart gantry@web; ${WITH_NODE}`);
    const main = "systemctl show -P MainPID gantry-web.app";
    const pid = await shell(main);

    const removed = await output("trust", "rm", alice.slice(0, 16));
    assert.match(removed, new RegExp(`^removed /etc/gantry/trustedkeys/prefix.d/${NAME}/${alice}$`, "m"));
    assert.match(removed, /^pod "web" runs on, and is refused at its next start: image "example\.com\/web/m);
    assert.match(removed, /^image "example\.com\/web[^"]*" is not trusted: /m);
    assert.equal(await shell(main), pid, "what runs runs on");

    const known = await host.exec(["gantry", "restart", "web"]);
    assert.equal(known.status, 5, known.stderr);
    assert.match(known.stderr, /image "example\.com\/web.*is not trusted: no rule and no key is for/);
    assert.equal(await shell(main), pid, "and is not stopped for a start that would be refused");
    await shell("cp -p /etc/gantry/pods/web.json /srv && touch /etc/gantry/pods/web.json");
    const changed = await host.exec(["gantry", "restart", "web"]);
    assert.equal(changed.status, 5, changed.stderr);
    assert.match(changed.stderr, /image "example\.com\/web.* is not trusted/);
    await shell("echo '{' >/etc/gantry/pods/web.json");
    const broken = await host.exec(["gantry", "restart", "web"]);
    assert.equal(broken.status, 1, broken.stderr);
    assert.match(broken.stderr, /^gantry: "\/etc\/gantry\/pods\/web\.json"/);
    assert.equal(await shell(main), pid, "nor for one whose definition has changed");
    await shell(
      "cat /srv/web.json >/etc/gantry/pods/web.json; touch -r /srv/web.json /etc/gantry/pods/web.json",
    );

    const restart = await host.exec(["systemctl", "restart", "gantry@web"]);
    assert.equal(restart.status, 1, restart.stderr);
    const { status, text } = await unitState(signed, "gantry@web");
    assert.equal(status, "5", text);
    assert.match(
      text,
      /image "example\.com\/web.*is not trusted: no rule and no key is for "example\.com\/web"/,
    );
    assert.ok(text.includes(alice), text);
    assert.equal(await shell("systemctl is-active gantry-web.app || :"), "inactive");
    assert.match(await events(signed, "07"), /^Refused to start pod web: image "example\.com\/web/m);
    assert.match(await events(signed, "09"), new RegExp(`^Key ${alice} is trusted no more`, "m"));

    await shell("touch /etc/gantry/pods/web.json");
    const start = await host.exec(["gantry", "start", "web"]);
    assert.equal(start.status, 5, start.stderr);
    assert.match(start.stderr, /^gantry: image "example\.com\/web.* is not trusted/);

    await signed.trustAlice();
    await shell(
      "systemctl start gantry@web && systemctl is-active gantry-web.app && systemctl stop gantry@web",
    );
    await shell(`${WITHOUT_NODE}; systemctl start gantry@web; s=$?; ${WITH_NODE}; exit $s`);
    assert.match(
      await events(signed, "08"),
      new RegExp(`^Trusted key ${alice} for names below ${NAME}$`, "m"),
    );
  });
});

test("trust: gantry start, run-prepared, run and systemctl restart of a pod's own unit are refused alike", async (t) => {
  await withSigned(t, { name: "trust-start" }, async (signed) => {
    const { host, shell, output, alice } = signed;
    const image = async () => await host.exec(["gantry", "run", "--detach", NAME]);
    await signed.trustAlice();
    const id = await signed.fetchWeb();
    const plain = async (...words: string[]) => {
      const { status, stdout, stderr } = await host.exec(["gantry", ...words]);
      assert.equal(status, 0, stderr);
      return stdout.trim();
    };
    await plain("prepare", "--name=prepared", id);
    await plain("run", "--name=ended", "--detach", id);
    await plain("stop", "ended");
    await plain("run", "--name=alive", "--detach", id);
    await output("trust", "rm", alice);
    for (const words of [
      ["start", "ended"],
      ["start", "prepared"],
      ["run-prepared", "prepared"],
      ["restart", "alive"],
      ["run", "--name=new", id],
      ["prepare", id],
    ]) {
      const { status, stderr } = await host.exec(["gantry", ...words]);
      assert.equal(status, 5, `${words.join(" ")}: ${stderr}`);
      assert.match(stderr, /^gantry: image "example\.com\/web.* is not trusted: /m);
      assert.match(stderr, /: gantry run --insecure-options=image example\.com\/web/);
      assert.ok(stderr.includes(alice), stderr);
    }
    assert.equal((await image()).status, 5);
    await using client = await connectClient(host);
    const restart = await client.ended(await client.call("RestartPod", { pod: "alive", options: {} }));
    assert.equal(restart.Error[0], "org.gantry1.Error.NotTrusted", restart.Error[1]);

    assert.equal(await shell("systemctl is-active gantry-alive.web"), "active", "what runs runs on");
    // The unit is active while its process looks at the stamp.
    await shell(
      "systemctl restart gantry-alive; until systemctl -q is-failed gantry-alive; do sleep 0.1; done",
    );
    const { status, text } = await unitState(signed, "gantry-alive");
    assert.equal(status, "5", text);
    assert.notEqual(await shell("systemctl is-active gantry-alive.web || :"), "active");
    assert.match(text, /keys or rules of trust have changed since the images of pod "alive" were judged/);

    await signed.trustAlice();
    for (const pod of ["ended", "prepared", "alive"]) await plain("start", pod);
    await plain("run", "--name=new", "--detach", id);
  });
});

test("trust: keys that lie behind a link, where nobody would notice a change, let nothing start", async (t) => {
  await withSigned(t, { name: "trust-links" }, async (signed) => {
    const { host, shell } = signed;
    const keys = "/etc/gantry/trustedkeys";
    await signed.trustAlice();
    await installWeb(signed, await signed.fetchWeb());
    await shell("systemctl start gantry@web && systemctl stop gantry@web");
    await shell(`mv ${keys} /srv/keys && ln -s /srv/keys ${keys}`);
    const start = await host.exec(["systemctl", "start", "gantry@web"]);
    assert.equal(start.status, 1, start.stderr);
    const { status, text } = await unitState(signed, "gantry@web");
    assert.equal(status, "1", text);
    assert.ok(text.includes(`"${keys}" is a symbolic link`), text);
    const fetch = await host.exec(["gantry", "fetch", ACI]);
    assert.equal(fetch.status, 1, fetch.stderr);
    assert.ok(fetch.stderr.includes(`gantry: "${keys}" is a symbolic link`), fetch.stderr);
    await shell(`rm ${keys} && mv /srv/keys ${keys} && systemctl start gantry@web`);
  });
});

test("trust: what was fetched without a check is not trusted by lying in the store", async (t) => {
  await withSigned(t, { name: "trust-insecure" }, async (signed) => {
    const { host, output } = signed;
    const refused = await host.exec(["gantry", "fetch", ACI]);
    assert.equal(refused.status, 5, refused.stderr);
    assert.match(refused.stderr, /no rule and no key is for "example\.com\/web"/);
    assert.match(refused.stderr, /gantry trust add --prefix=example\.com\/web KEYFILE/);
    assert.match(await events(signed, "0c"), /^Refused image example\.com\/web\S*: .*no rule and no key/m);
    const id = await signed.fetchWeb("--insecure-options=image");
    await signed.trustAlice();
    await output("trust", "add", `--prefix=${NAME}`, "--accept-unsigned", "--transport=file");
    const run = await host.exec(["gantry", "run", id]);
    assert.equal(run.status, 5, run.stderr);
    assert.match(run.stderr, /is in the store without a signature/);
    assert.ok(
      run.stderr.includes(
        `hint: to have it checked: gantry fetch ${ACI}; to accept it without a check: gantry run --insecure-options=image ${id}\n`,
      ),
      run.stderr,
    );
    assert.match(
      await output("trust", "explain", id),
      /^verdict now: not trusted: it was taken without a check/m,
    );
    await output("trust", "rm", NAME);
    assert.equal(await signed.fetchWeb(), id, "fetched anew, it is judged");
    const trusted = await host.exec(["gantry", "run", "--detach", id]);
    assert.equal(trusted.status, 0, trusted.stderr);
  });
});

test("trust: the commands that a refusal names allow the image, a consent for as long as no key is for it", async (t) => {
  await withSigned(t, { name: "trust-hints" }, async (signed) => {
    const { host, shell, output, alice } = signed;
    const refused = await host.exec(["gantry", "fetch", ACI]);
    assert.equal(refused.status, 5, refused.stderr);
    const hints = refused.stderr.slice(refused.stderr.indexOf("hint: ")).split(/; (?=to )/);
    const commands = hints.map((hint) => hint.slice(hint.indexOf(": gantry ") + 2).trim());
    assert.equal(commands.length, 3, refused.stderr);
    const [signer = "", consent = "", unchecked = ""] = commands;

    assert.match(consent, /^gantry trust add --digest=sha512:[0-9a-f]{128} example\.com\/web$/);
    await shell(consent);
    const id = await signed.fetchWeb();
    assert.equal((await host.exec(["gantry", "run", "--detach", "--name=web", id])).status, 0);
    assert.match(
      await output("trust", "explain", id),
      /^verdict now: trusted \(pinned\): allowed by the consent of user 0, /m,
    );

    const added = await output("trust", "add", `--prefix=${NAME}`, "--skip-fingerprint-review", KEY);
    assert.match(
      added,
      /^pod "web" runs on, and is refused at its next start: .*before, it was allowed by the consent of user 0, /m,
    );
    await output("stop", "web");
    assert.equal((await host.exec(["gantry", "start", "web"])).status, 5, "the key decides now");
    await output("trust", "rm", alice);
    assert.equal((await host.exec(["gantry", "start", "web"])).status, 0);
    await output("trust", "rm", NAME);

    assert.match(signer, /^gantry trust add --prefix=example\.com\/web KEYFILE$/);
    await shell(`${signer.replace("KEYFILE", KEY)} --skip-fingerprint-review && gantry fetch ${ACI}`);
    await shell(`gantry trust rm ${alice} && ${unchecked}`);
  });
});

test("trust: a tightened rule, an expired key and a stamp whose time is up", async (t) => {
  await withSigned(t, { name: "trust-policy" }, async (signed) => {
    const { host, shell, output, alice } = signed;
    await signed.trustAlice();
    const id = await signed.fetchWeb();
    assert.equal((await host.exec(["gantry", "prepare", "--name=web", id])).status, 0);
    const start = async () => await host.exec(["gantry", "start", "web"]);
    const rule = await output("trust", "add", "--prefix=example.com", "--reject");
    assert.match(rule, /^wrote \/etc\/gantry\/trust\.d\/example\.com\.json$/m);
    assert.match(rule, /^pod "web" is refused from now on: .*the rule rejects every image of its scope/m);
    const rejected = await start();
    assert.deepEqual(
      [rejected.status, /rejects every image/.test(rejected.stderr)],
      [5, true],
      rejected.stderr,
    );
    await output("trust", "rm", "example.com");

    await shell(`sed -i 's/"until":[0-9]*/"until":1000/' /var/lib/gantry/names/web/trust.json`);
    assert.equal((await start()).status, 0, "the key is still good, so the stamp is renewed");
    const { until } = JSON.parse(await shell("cat /var/lib/gantry/names/web/trust.json"));
    assert.equal(new Date(until * 1000).getFullYear(), 2034, "when the key ends");
    await output("stop", "web");

    const path = `/etc/gantry/trustedkeys/prefix.d/${NAME}/${alice}`;
    await host.put(path, expiredKey(signed));
    const expired = await start();
    assert.equal(expired.status, 5, expired.stderr);
    assert.match(expired.stderr, /expired/);
    const added = await host.exec(["gantry", "trust", "add", "--root", "--skip-fingerprint-review", path]);
    assert.equal(added.status, 5, added.stderr);
    assert.match(added.stderr, /would vouch for nothing: .*expired/);
  });
});

test("trust: explain tells names, rules, keys, signatures and the verdict", async (t) => {
  await withSigned(t, { name: "trust-explain" }, async (signed) => {
    const { output, alice } = signed;
    await signed.trustAlice();
    const id = await signed.fetchWeb();
    await output("trust", "add", "--prefix=example.com", "--require=cosign");
    await output("trust", "add", "--prefix=other.org", "--reject");
    const strict = await output("trust", "explain", id);
    assert.match(strict, /^verdict now: not trusted: .*it carries no cosign signature/m);
    await output("trust", "add", `--prefix=${NAME}`, "--require=openpgp,cosign", "--transport=file");
    const lines = await output("trust", "explain", id);
    for (const line of [
      new RegExp(`^image: ${id}$`, "m"),
      /^asked for as: example\.com\/web\S* \(file\)$/m,
      /^name in rules: example\.com\/web$/m,
      new RegExp(`^judged at import: signed, signed by ${alice} `, "m"),
      /^ {2}example\.com: cosign; covers, but another is more specific; \/etc\/gantry\/trust\.d\/example\.com\.json$/m,
      /^ {2}example\.com\/web \(file\): openpgp or cosign; decides; /m,
      /^ {2}other\.org: rejected; other names; /m,
      new RegExp(
        `^ {2}${alice} Alice <alice@example.com>: good; for example\\.com/web; /etc/gantry/trustedkeys/`,
        "m",
      ),
      new RegExp(`^ {2}openpgp sha256:[0-9a-f]{64}: by ${alice} Alice <alice@example.com>$`, "m"),
      new RegExp(`^verdict now: trusted \\(signed\\): signed by ${alice}$`, "m"),
    ])
      assert.match(lines, line);
    const json = JSON.parse(await output("trust", "explain", "--format=json", id));
    assert.deepEqual([json.now.trusted, json.subject.name, json.signatures.length], [true, NAME, 1]);
    const list = JSON.parse(await output("trust", "list", "--format=json"));
    assert.deepEqual(
      list.keys.map(({ fingerprint, prefix }: Record<string, string>) => [fingerprint, prefix]),
      [[alice, NAME]],
    );
    assert.equal(list.rules.length, 3);
  });
});

test("trust: the dialogue of gantry trust, and what it refuses", async (t) => {
  await withSigned(t, { name: "trust-dialogue" }, async (signed) => {
    const { host, shell, refused, ring, alice } = signed;
    const answer = async (...lines: string[]) =>
      await host.exec([
        "sh",
        "-c",
        `printf '${lines.join("\\n")}\\n' | script -qec "gantry trust --prefix=${NAME} ${KEY}" /dev/null`,
      ]);
    const no = await answer("perhaps", "no");
    assert.equal(no.status, 1, no.stdout);
    assert.match(no.stdout, /Are you sure you want to trust this key \(yes\/no\)\?/);
    assert.match(no.stdout, /Please enter 'yes' or 'no'/);
    assert.match(no.stdout, /gantry: not trusting "\/srv\/alice\.asc"/);
    assert.equal(await shell("ls /etc/gantry/trustedkeys 2>/dev/null || :"), "");
    const yes = await answer("yes");
    assert.equal(yes.status, 0, yes.stdout);
    assert.match(yes.stdout, /^gpg key fingerprint is: ([0-9A-F]{4} ){5} ([0-9A-F]{4} ?){5}\r$/m);
    assert.match(yes.stdout, /^\s+Alice <alice@example\.com>\r$/m);
    assert.match(
      yes.stdout,
      /Trusting "\/srv\/alice\.asc" for prefix "example\.com\/web" after fingerprint review\./,
    );
    const path = `/etc/gantry/trustedkeys/prefix.d/${NAME}/${alice}`;
    assert.ok(yes.stdout.includes(`Added key for prefix "${NAME}" at "${path}"`), yes.stdout);
    assert.equal(await shell(`stat -c '%a %U' ${path}`), "644 root");

    await refused(["trust", KEY], {
      status: 2,
      texts: ["aborting due to implicit unbounded trust (root domain)"],
    });
    await refused(["trust", "--root", `--prefix=${NAME}`, KEY], {
      status: 2,
      texts: ["--root and --prefix usage mutually exclusive"],
    });
    await refused(["trust", "--prefix=https://example.com", KEY], { status: 2, texts: ["omit https://"] });
    await refused(["trust", "add", `--prefix=${NAME}`, `--fingerprint=${"0".repeat(40)}`, KEY], {
      status: 5,
      texts: [`holds no key of fingerprint "${"0".repeat(40)}"`, alice],
    });
    await refused(["trust", "add", `--prefix=${NAME}/*`, `--fingerprint=${alice}`, "--format=json", KEY], {
      status: 2,
      texts: [`"${NAME}/*" is no prefix of names`],
    });
    await host.put(
      "/srv/secret.asc",
      ring.gpg(["--armor", "--passphrase", "", "--pinentry-mode", "loopback", "--export-secret-keys", alice]),
    );
    await refused(["trust", "--root", "/srv/secret.asc"], { status: 1, texts: [/holds a private key/] });
    const pin = `--digest=sha256:${"0".repeat(64)}`;
    const tagged: readonly string[][] = [
      [`--prefix=${NAME}:1.0`, `--fingerprint=${alice}`, "--format=json", KEY],
      [pin, `${NAME}:1.0`],
    ];
    for (const words of tagged) {
      const texts = [`"${NAME}:1.0" is no prefix of names`, `leave out the tag: ${NAME}`];
      await refused(["trust", "add", ...words], { status: 2, texts });
    }
    await refused(["trust", "add", "--prefix=busybox:1.36", "--reject"], {
      status: 2,
      texts: ['"busybox:1.36" is no scope of a rule', "docker.io/library/busybox:1.36"],
    });
    const docker = "images of Docker's registry are named docker.io/library/busybox here";
    const port =
      '"debian:12" is taken as a host and its port; Docker\'s image is docker.io/library/debian:12';
    for (const [words, note] of [
      [["--prefix=busybox", "--reject"], docker],
      [[pin, "busybox"], docker],
      [["--prefix=debian:12", "--reject"], port],
      [["--prefix=debian:12", "--transport=registry", "--reject"], port],
      [["--prefix=localhost:5000", "--reject"], undefined],
      [["--prefix=debian:12", "--transport=appc", "--reject"], undefined],
    ] as const) {
      const { status, stderr } = await host.exec(["gantry", "trust", "add", ...words]);
      assert.equal(status, 0, stderr);
      const notes = stderr.split("\n").filter((line) => /Docker/.test(line));
      assert.deepEqual(notes, note === undefined ? [] : [`gantry: ${note}`], words.join(" "));
    }
    await host.put("/srv/noise.asc", Buffer.alloc(4096, 7));
    await refused(["trust", "--root", "/srv/noise.asc"], { status: 1, texts: [/the key file/] });
    await shell("truncate -s 5M /srv/large.asc");
    await refused(["trust", "--root", "/srv/large.asc"], { status: 1, texts: ["has 5242880 bytes"] });
    await refused(["trust", "rm", "deadbeefdeadbeef"], {
      status: 4,
      texts: ['nothing is trusted by "deadbeefdeadbeef"'],
    });
  });
});

const MANAGER = ["org.gantry1", "/org/gantry1", "org.gantry1.Manager"];

function call(...words: string[]): string[] {
  // An armoured key begins with dashes.
  return ["busctl", "--", "call", ...MANAGER, ...words];
}

/** The error's name that an operation ended with; empty for a success. */
async function outcomeOf({ host, shell }: SignedHost, words: readonly string[]): Promise<string> {
  const begun = await host.exec(words);
  assert.equal(begun.status, 0, begun.stderr);
  const path = /"([^"]+)"/.exec(begun.stdout)?.[1] ?? "";
  const property = (name: string) => `busctl get-property org.gantry1 ${path} org.gantry1.Operation ${name}`;
  await shell(`until ${property("Phase")} | grep -qE 'done|failed|cancelled'; do sleep 0.1; done`);
  return /^\(ss\) "([^"]*)"/.exec(await shell(property("Error")))?.[1] ?? "?";
}

test("trust: busctl alone can trust a key, explain, and distrust", async (t) => {
  await withSigned(t, { name: "trust-bus" }, async (signed) => {
    const { host, shell, ring, alice } = signed;
    const key = ring.export(alice).toString();
    const bus = async (...words: string[]) => {
      const { status, stdout, stderr } = await host.exec(call(...words));
      assert.equal(status, 0, stderr);
      return JSON.parse(JSON.parse(stdout.slice(2)));
    };
    assert.equal(
      await outcomeOf(signed, call("FetchImage", "sa{sv}", ACI, "0")),
      "org.gantry1.Error.NotTrusted",
    );
    const [reviewed] = await bus("ReviewKeys", "sa{sv}", key, "0");
    assert.deepEqual([reviewed.fingerprint, reviewed.userIds], [alice, ["Alice <alice@example.com>"]]);
    const other = await host.exec(
      call("TrustKeys", "sasa{sv}", key, "1", "0".repeat(40), "1", "prefix", "s", NAME),
    );
    assert.match(other.stderr, /holds no key of fingerprint/);
    const nowhere = await host.exec(call("TrustKeys", "sasa{sv}", key, "1", alice, "0"));
    assert.match(nowhere.stderr, /a key is for a prefix, for every name \(root\), or named by rules/);
    const { keys } = await bus("TrustKeys", "sasa{sv}", key, "1", alice, "1", "prefix", "s", NAME);
    assert.equal(keys[0].path, `/etc/gantry/trustedkeys/prefix.d/${NAME}/${alice}`);
    assert.equal(await outcomeOf(signed, call("FetchImage", "sa{sv}", ACI, "0")), "");
    const request = JSON.stringify({ name: "web", apps: [{ image: NAME, name: "app" }] });
    assert.equal(await outcomeOf(signed, call("RunPod", "sa{sv}", request, "0")), "");
    assert.equal((await bus("ExplainTrust", "s", NAME)).now.trusted, true);

    const gone = await bus("Distrust", "sa{sv}", alice, "0");
    assert.deepEqual(
      gone.affected.pods.map(({ name, state }: Record<string, string>) => [name, state]),
      [["web", "running"]],
    );
    assert.equal(await shell("systemctl is-active gantry-web.app"), "active");
    const restart = await outcomeOf(signed, call("RestartPod", "sa{sv}", "web", "0"));
    assert.equal(restart, "org.gantry1.Error.NotTrusted");
    assert.equal(await shell("systemctl is-active gantry-web.app"), "active");
    const rule = JSON.stringify({ scope: NAME, requirements: [{ kind: "unsigned" }], transport: "file" });
    assert.match((await bus("TrustRule", "sa{sv}", rule, "0")).path, /example\.com%2Fweb\.file\.json$/);
    assert.equal(await outcomeOf(signed, call("RestartPod", "sa{sv}", "web", "0")), "");
    const wrong = await host.exec(call("TrustRule", "sa{sv}", '{"scope":"x","requirements":[]}', "0"));
    assert.match(wrong.stderr, /the rule is wrong at "requirements"/);
    assert.match((await host.exec(call("TrustRule", "sa{sv}", "{", "0"))).stderr, /the rule is not JSON/);
  });
});

test("trust: everybody may read, and change what polkit allows", async (t) => {
  await withSigned(t, { name: "trust-user" }, async (signed) => {
    const { host, alice } = signed;
    await signed.trustAlice();
    const id = await signed.fetchWeb();
    const gantry = async (...words: string[]) => await host.user(["gantry", ...words]);
    assert.match(
      (await gantry("trust", "list")).stdout,
      new RegExp(`^example\\.com/web +${alice} +good until`, "m"),
    );
    assert.match((await gantry("trust", "explain", id)).stdout, /^verdict now: trusted \(signed\)/m);
    for (const words of [
      ["trust", "--root", "--skip-fingerprint-review", KEY],
      ["trust", "add", "--prefix=example.com", "--reject"],
      ["trust", "add", `--digest=sha256:${"0".repeat(64)}`, NAME],
      ["trust", "rm", alice],
    ]) {
      const { status, stderr } = await gantry(...words);
      assert.equal(status, 6, `${words.join(" ")}: ${stderr}`);
      assert.match(stderr, /^gantry: not authorized for org\.gantry1\.trust\.change/m);
    }
    const elsewhere = await gantry("--dir=/tmp/x", "trust", "list");
    assert.deepEqual(
      [elsewhere.status, elsewhere.stderr.trim()],
      [6, 'gantry: only root may work on "/tmp/x"'],
    );
    const condition = `action.id === "org.gantry1.trust.change" &&
      (action.lookup("verb") === "review" || action.lookup("what") === "team.example ${alice}")`;
    await putPolkitRule(
      host,
      "10-trust",
      `polkit.addRule(function (action, subject) {\n  if (${condition}) return polkit.Result.YES;\n});\n`,
    );
    const added = await gantry("trust", "add", "--prefix=team.example", `--fingerprint=${alice}`, KEY);
    assert.equal(added.status, 0, added.stderr);
    assert.match(added.stdout, /^Added key for prefix "team\.example" at /m);
    assert.equal((await gantry("trust", "add", "--root", `--fingerprint=${alice}`, KEY)).status, 6);
    assert.equal((await gantry("trust", "rm", alice)).status, 6);
  });
});
