/** Jobs whose ends come in every order: the signals are written down here, because systemd's order can't be had at will. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bus, Reply, Signal } from "../../../src/bus/connection.ts";
import { watchJobs } from "../../../src/systemd/jobs.ts";

const SYSTEMD = ":1.1";

function wire(): { readonly bus: Bus; end(job: string, sender?: string): void } {
  let listener: (signal: Signal) => void = () => {};
  const bus = {
    lost: new Promise<never>(() => {}),
    call: async () => reply("", ""),
    onSignal: (listen: (signal: Signal) => void) => {
      listener = listen;
    },
  } as unknown as Bus;
  return {
    bus,
    end: (job, sender = SYSTEMD) =>
      listener({
        ...{ sender, path: "/org/freedesktop/systemd1", interface: "org.freedesktop.systemd1.Manager" },
        ...{ member: "JobRemoved", body: [1, job, `${job}.service`, "done"] },
      } as unknown as Signal),
  };
}

function reply(job: string, sender = SYSTEMD): Reply {
  return { sender, body: [job] } as unknown as Reply;
}

/** What it resolves to within some turns of the loop; undefined when it still waits. */
async function soon(result: Promise<string>): Promise<string | undefined> {
  return await Promise.race([result, new Promise<undefined>((done) => setTimeout(done, 50, undefined))]);
}

test("jobs that ended before their calls were answered, several at once, are all known to have ended", async () => {
  const { bus, end } = wire();
  const jobs = watchJobs(bus);
  const answers: ((reply: Reply) => void)[] = [];
  const ask = () => jobs.result(() => new Promise((answer) => answers.push(answer)));
  const results = [ask(), ask(), ask()];
  await new Promise(setImmediate);
  for (const job of ["a", "b", "c"]) end(job);
  for (const [at, answer] of answers.entries()) answer(reply(["a", "b", "c"][at] ?? ""));
  for (const result of results) assert.equal(await soon(result), "done");
});

test("a job that ends after its call was answered, and one whose end somebody else makes up", async () => {
  const { bus, end } = wire();
  const jobs = watchJobs(bus);
  const result = jobs.result(async () => reply("a"));
  await new Promise(setImmediate);
  end("a", ":1.99");
  assert.equal(await soon(result), undefined);
  end("a");
  assert.equal(await soon(result), "done");
});
