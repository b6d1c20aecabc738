import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { makeSubscribers, type Subscribers } from "../../../src/agent/subscribers.ts";
import { BusFailure, openBus } from "../../../src/bus/connection.ts";
import { startBus } from "../../fixtures/bus.ts";
import { until } from "../../fixtures/until.ts";

const MATCH_RULES = 4;

type Bench = {
  readonly subscribers: Subscribers;
  /** Connects one more client; gives its name and what disconnects it. */
  readonly client: () => Promise<{ name: string; leave: () => Promise<void> }>;
  /** How many interests in changes are held. */
  readonly interests: () => number;
};

async function withBench(test: TestContext, body: (bench: Bench) => Promise<void>): Promise<void> {
  const daemon = await startBus({ matchRules: MATCH_RULES });
  const buses = new Set([await openBus(daemon)]);
  test.after(async () => {
    for (const bus of buses) await bus[Symbol.asyncDispose]();
    await daemon[Symbol.asyncDispose]();
  });
  const [bus] = buses;
  assert.ok(bus !== undefined);
  let interests = 0;
  const subscribers = makeSubscribers(bus, {
    onAdded: async () => {
      interests += 1;
    },
    onDropped: () => {
      interests -= 1;
    },
  });
  const client = async () => {
    const connection = await openBus(daemon);
    buses.add(connection);
    return { name: connection.name, leave: async () => await connection[Symbol.asyncDispose]() };
  };
  await body({ subscribers, client, interests: () => interests });
}

test("subscribers: who unsubscribes before he is subscribed leaves no match rule", async (t) => {
  await withBench(t, async ({ subscribers, client, interests }) => {
    for (let round = 0; round < 2 * MATCH_RULES; round += 1) {
      const { name } = await client();
      const subscribed = subscribers.add(name);
      subscribers.remove(name);
      await subscribed;
    }
    assert.deepEqual([subscribers.count(), interests()], [0, 0]);
    await subscribers.add((await client()).name);
    assert.deepEqual([subscribers.count(), interests()], [1, 1]);
  });
});

test("subscribers: one whom the daemon has no rule left for is refused, and holds nothing", async (t) => {
  await withBench(t, async ({ subscribers, client, interests }) => {
    const clients = [];
    for (let count = 0; count < MATCH_RULES; count += 1) clients.push(await client());
    for (const { name } of clients) await subscribers.add(name);
    const { name } = await client();
    await assert.rejects(subscribers.add(name), (error) => {
      assert.ok(error instanceof BusFailure);
      assert.equal(error.errorName, "org.freedesktop.DBus.Error.LimitsExceeded");
      assert.match(error.message, /match rules/);
      return true;
    });
    assert.deepEqual([subscribers.count(), interests()], [MATCH_RULES, MATCH_RULES]);
    for (const { leave } of clients) await leave();
    await until(
      async () => subscribers.count(),
      (count) => count === 0,
    );
    assert.equal(interests(), 0);
    await subscribers.add(name);
  });
});

test("subscribers: who subscribes again at once is subscribed, by one rule", async (t) => {
  await withBench(t, async ({ subscribers, client }) => {
    const { name, leave } = await client();
    for (let round = 0; round < 3 * MATCH_RULES; round += 1) {
      const subscriptions = [subscribers.add(name)];
      subscribers.remove(name);
      subscriptions.push(subscribers.add(name));
      await Promise.all(subscriptions);
      assert.equal(subscribers.count(), 1);
      subscribers.remove(name);
    }
    await subscribers.add(name);
    await leave();
    await until(
      async () => subscribers.count(),
      (count) => count === 0,
    );
  });
});
