/** Images that a fetcher brings: what is transferred when, who is told of it and how. The fetcher is one of the tests' own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Progress } from "../../src/store/progress.ts";
import { connectClient } from "../fixtures/agent.ts";
import { FETCH, fetchRemains, SOURCE, untilUnit, withFetchHost } from "../fixtures/fetch-host.ts";
import { putPolkitRule } from "../fixtures/polkit.ts";

const RUN = ["gantry", "run", "--insecure-options=image"];
const LS = ["--", "/bin/ls", "/layers"];

/** How many times a fetcher has run on this host. */
const RUNS = "journalctl --sync; journalctl -o cat | grep -c 'Finished gantry-fetch-' || true";
/** How many times an unpacker was started before its image was known. */
const AHEAD = "journalctl --sync; journalctl -o cat | grep -c 'Finished gantry-unpack-.*-ahead' || true";

test("an image is fetched, listed with who served it, and run; the pull policy says when the registry is asked", async (t) => {
  await withFetchHost(t, { name: "policy" }, async (fetches) => {
    const { host, shell, id } = fetches;
    const never = await host.exec([...RUN, "--pull-policy=never", SOURCE, ...LS]);
    assert.deepEqual([never.status, never.stdout], [4, ""]);
    assert.match(never.stderr, /there is no image "docker:\/\/registry\.test\/app:1" in the store/);
    const first = await host.exec([...RUN, SOURCE, ...LS]);
    assert.deepEqual([first.status, first.stdout], [0, "2\n3\ntop\n"], first.stderr);
    assert.match(first.stderr, /: resolving\n.*: looking \\x1b\[31maround\n.*: layer sha256:.* is unpacked/s);
    assert.equal(await shell(RUNS), "1");
    assert.equal((await host.exec([...RUN, SOURCE, ...LS])).stdout, "2\n3\ntop\n");
    assert.equal((await host.exec([...FETCH, "--pull-policy=new"])).stdout, `${id}\n`);
    assert.equal(await shell(RUNS), "1", "the store's image is good enough");
    const update = await host.exec([...FETCH]);
    assert.equal(update.stdout, `${id}\n`);
    assert.match(update.stderr, /is in the store already/);
    assert.doesNotMatch(update.stderr, /is unpacked/);
    assert.equal(await shell(RUNS), "2");
    assert.equal(await shell(AHEAD), "1", "an image that is here has no unpacker started for it");
    const record = JSON.parse(await shell("gantry image inspect registry.test/app:1"));
    assert.deepEqual(
      [record.id, record.names, record.source, record.host, record.verdict.kind],
      [id, ["registry.test/app:1"], SOURCE, "registry.test", "insecure"],
    );
    assert.equal(await fetchRemains(fetches), "");
  });
});

test("without a signature it is refused once it is resolved, and no layer is asked for", async (t) => {
  await withFetchHost(t, { name: "unsigned" }, async (fetches) => {
    const { status, stdout, stderr } = await fetches.host.exec(["gantry", "fetch", SOURCE]);
    assert.deepEqual([status, stdout], [5, ""]);
    assert.match(
      stderr,
      /"registry\.test\/app:1" is not trusted: no rule and no key is for "registry\.test\/app"/,
    );
    assert.match(stderr, /hint: .*gantry fetch --insecure-options=image docker:\/\/registry\.test\/app:1/);
    assert.equal(
      await fetches.shell("ls -A /var/lib/gantry/layers /var/lib/gantry/images | grep -c sha || true"),
      "0",
    );
    assert.equal(await fetchRemains(fetches), "");
  });
});

test("an image that was asked for by its digest is that image", async (t) => {
  await withFetchHost(t, { name: "pinned" }, async (fetches) => {
    const { host, id } = fetches;
    const pinned = `docker://registry.test/app@${id.replace("-", ":")}`;
    assert.equal((await host.exec([...FETCH.slice(0, 3), pinned])).stdout, `${id}\n`);
    const other = `docker://registry.test/app@sha256:${"0".repeat(64)}`;
    const { status, stdout, stderr } = await host.exec([...FETCH.slice(0, 3), other]);
    assert.deepEqual([status, stdout], [1, ""]);
    assert.match(stderr, /should have digest sha256:0{64} but has sha256:/);
    assert.equal(await fetchRemains(fetches), "");
  });
});

test("two fetches of one image at once transfer no layer twice", async (t) => {
  await withFetchHost(t, { name: "twice" }, async (fetches) => {
    await fetches.behave({ slow: 100 });
    const both = await Promise.all([1, 2].map(() => fetches.fetch("--format=json")));
    const layers: string[] = [];
    for (const { status, stdout, stderr } of both) {
      assert.equal(status, 0, stderr);
      const events: Progress[] = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      layers.push(...events.flatMap((e) => (e.event === "layer" && e.state === "done" ? [e.layer] : [])));
    }
    assert.equal(layers.length, 4);
    assert.equal(new Set(layers).size, 4);
    assert.equal(await fetchRemains(fetches), "");
  });
});

test("events are lines of JSON, the last one tells the image or the failure", async (t) => {
  await withFetchHost(t, { name: "events" }, async (fetches) => {
    const { stdout, stderr } = await fetches.fetch("--format=json");
    assert.equal(stderr, "");
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.ok(events.every(({ source }) => source === SOURCE));
    const named = [...new Set(events.map(({ event, phase }) => phase ?? event))];
    assert.deepEqual(named, [
      "resolving",
      "log",
      "verifying",
      "importing",
      "layers",
      "progress",
      "layer",
      "image",
    ]);
    assert.equal(events.at(-1).id, fetches.id);
    await fetches.behave({ resolve: "fail" });
    const failed = await fetches.fetch("--format=json");
    assert.equal(failed.status, 1);
    const last = JSON.parse(failed.stdout.trim().split("\n").at(-1) ?? "");
    assert.deepEqual(
      [last.event, last.kind, last.text],
      ["failed", "FetchFailed", "the registry has burnt down"],
    );
  });
});

test("a terminal shows bars that fit it, redraws them in place and clears them", async (t) => {
  await withFetchHost(t, { name: "bars" }, async (fetches) => {
    const { host, id } = fetches;
    await fetches.behave({ slow: 200 });
    const inside = `stty cols 50 rows 10; ${FETCH.join(" ")}`;
    const { stdout } = await host.exec(["script", "-qec", inside, "/dev/null"]);
    assert.match(stdout, /total +\[=* *\] .* of 1\.0 MiB|total +.* of 1\.0 MiB/);
    assert.match(stdout, /\x1b\[\d+A\r/, "redrawn in place");
    assert.match(stdout, /looking \\x1b\[31maround/, "what a fetcher says is shown and not obeyed");
    const codes = [...stdout.matchAll(/\x1b[^A-Za-z]*[A-Za-z]/g)].map(([code]) => code.replace(/\d+/, "N"));
    assert.deepEqual([...new Set(codes)].sort(), ["\x1b[J", "\x1b[K", "\x1b[NA"]);
    for (const line of stdout.split(/\r?\n/)) {
      assert.ok(line.replace(/\x1b[^A-Za-z]*[A-Za-z]|\r/g, "").length < 50 || line.includes(id), line);
    }
    assert.ok(stdout.trimEnd().endsWith(id), stdout.slice(-200));
  });
});

test("bars follow a terminal that gets narrower in the middle", async (t) => {
  await withFetchHost(t, { name: "narrow" }, async (fetches) => {
    await fetches.behave({ slow: 500 });
    // Not what the record itself begins with, which is this command.
    const drawn = "until grep -q ' total [^.]*KiB of' /run/shown; do sleep 0.1; done";
    const inside = `stty cols 70 rows 20; (${drawn}; stty -F /dev/tty cols 30) & ${FETCH.join(" ")}`;
    await fetches.shell(": >/run/shown");
    const { stdout } = await fetches.host.exec(["script", "-qefc", inside, "/run/shown"]);
    const plain = stdout.replace(/\x1b[^A-Za-z]*[A-Za-z]|\r/g, "");
    const totals = plain.split("\n").filter((line) => /^ {2}total /.test(line));
    assert.ok(
      totals.some((line) => line.length >= 30),
      totals.join("\n"),
    );
    assert.ok((totals.at(-1)?.length ?? 99) < 30, totals.join("\n"));
    assert.ok(plain.trimEnd().endsWith(fetches.id), plain.slice(-200));
  });
});

test("on the bus a fetch tells its phases, its progress and its layers, and can be cancelled", async (t) => {
  await withFetchHost(t, { name: "bus" }, async (fetches) => {
    await fetches.behave({ slow: 100 });
    await using client = await connectClient(fetches.host);
    const heard: string[] = [];
    client.bus.onSignal(({ member, body }) => {
      if (member === "LogMessage") heard.push(`log ${body[0]} ${String(body[1]).split(" ")[0]}`);
      if (member === "Event") heard.push(`event ${JSON.parse(String(body[0])).event}`);
      if (member === "PropertiesChanged") heard.push(...Object.keys(body[1] as object));
    });
    const daemon = "org.freedesktop.DBus";
    await client.bus.call({
      ...{ destination: daemon, path: "/org/freedesktop/DBus", interface: daemon, member: "AddMatch" },
      ...{ signature: "s", body: ["type='signal',path_namespace='/org/gantry1/operation'"] },
    });
    const options = { insecure: ["image"], pullPolicy: "update" };
    const done = await client.done(await client.call("FetchImage", { source: SOURCE, options }));
    assert.equal(done, fetches.id);
    for (const wanted of [
      "Phase",
      "Progress",
      "log 6 unpacked",
      "event layers",
      "event progress",
      "event layer",
    ]) {
      assert.ok(heard.includes(wanted), `${wanted} is not among ${[...new Set(heard)].join(", ")}`);
    }
    await fetches.shell("gantry image rm registry.test/app:1");
    await fetches.behave({ layer: "stall" });
    const operation = await client.call("FetchImage", { source: SOURCE, options });
    await untilUnit(fetches, "unpack");
    await client.bus.call({
      ...{
        destination: "org.gantry1",
        path: operation,
        interface: "org.gantry1.Operation",
        member: "Cancel",
      },
    });
    const { Phase: phase, Error: error } = await client.ended(operation);
    assert.deepEqual([phase, error[0]], ["cancelled", "org.gantry1.Error.Cancelled"]);
    assert.equal(await fetchRemains(fetches), "");
  });
});

const ALLOW = `polkit.addRule(function(action, subject) {
  if (subject.user == "tester" && action.id.indexOf("org.gantry1.") == 0) return polkit.Result.YES;
});`;

test("a user whom polkit allows to fetches through the agent, and sees the same", async (t) => {
  await withFetchHost(t, { name: "user" }, async (fetches) => {
    const { host, id } = fetches;
    const refused = await host.user(FETCH);
    assert.equal(refused.status, 6, refused.stderr);
    await putPolkitRule(host, "10-tester", ALLOW);
    await fetches.behave({ slow: 100 });
    const { status, stdout, stderr } = await host.user([...FETCH, "--format=json"]);
    assert.equal(status, 0, stderr);
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const named = new Set(events.map(({ event }) => event));
    assert.deepEqual([...named].sort(), ["image", "layer", "layers", "log", "phase", "progress"]);
    assert.equal(events.at(-1).id, id);
    await fetches.shell("gantry image rm registry.test/app:1");
    const run = await host.user([...RUN, "--detach", "--net=none", "--name=through", SOURCE, ...LS]);
    assert.match(run.stdout, /^[0-9a-f]{32}\n$/, run.stderr);
    assert.match(run.stderr, /: layer sha256:.* is unpacked/);
    assert.equal(await fetchRemains(fetches), "");
  });
});
