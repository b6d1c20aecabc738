/** Who wants the agent to stay: connections that have subscribed, until they say so or leave the bus. */
import type { Bus } from "../bus/connection.ts";

const DAEMON = "org.freedesktop.DBus";

export type Subscribers = {
  add(sender: string): Promise<undefined>;
  remove(sender: string): undefined;
  count(): number;
};

export type Listeners = {
  /** One more is there; its subscription holds when this has resolved. */
  onAdded(): Promise<void>;
  onDropped(): void;
};

export function makeSubscribers(bus: Bus, { onAdded, onDropped }: Listeners): Subscribers {
  const rules = new Map<string, Promise<void>>();
  const drop = (name: string, rule = rules.get(name)) => {
    if (rule === undefined || rules.get(name) !== rule) return;
    rules.delete(name);
    onDropped();
    // Only once the daemon has it can a rule be removed. One more or less is nothing to fail for; one per dead
    // subscriber would add up.
    rule.then(() => daemon(bus, "RemoveMatch", ruleOf(name))).catch(() => {});
  };
  bus.onSignal(({ sender, interface: from, member, body }) => {
    if (sender !== DAEMON || from !== DAEMON || member !== "NameOwnerChanged") return;
    if (body[2] === "") drop(String(body[0]));
  });
  const match = async (name: string) => {
    await onAdded();
    await daemon(bus, "AddMatch", ruleOf(name));
  };
  const add = async (name: string) => {
    const rule = match(name);
    rules.set(name, rule);
    try {
      await rule;
      // It may have left before the daemon knew of the match.
      const { body } = await daemon(bus, "NameHasOwner", name);
      if (body[0] !== true) drop(name, rule);
    } catch (error) {
      drop(name, rule);
      throw error;
    }
  };
  return {
    count: () => rules.size,
    add: async (name) => {
      if (!rules.has(name)) await add(name);
      return undefined;
    },
    remove: (name) => {
      drop(name);
      return undefined;
    },
  };
}

function ruleOf(name: string): string {
  return `type='signal',sender='${DAEMON}',interface='${DAEMON}',member='NameOwnerChanged',arg0='${name}'`;
}

async function daemon(bus: Bus, member: string, argument: string) {
  return await bus.call({
    ...{ destination: DAEMON, path: "/org/freedesktop/DBus", interface: DAEMON, member },
    ...{ signature: "s", body: [argument] },
  });
}
