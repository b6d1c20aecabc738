/** `kill -9` of a change of trust at every point: what it leaves is the trust of before or after, and a store that opens. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { killedAt } from "../fixtures/faults.ts";
import { KEY, NAME, type SignedHost, withSigned } from "../fixtures/signed.ts";

/** There are far fewer; more would mean that the loop does not end. */
const MOST_POINTS = 40;

/** What writes a file, and what removes one. */
const ADDING = ["rename", "fsync"];
const REMOVING = ["unlink", "fsync"];

type Change = {
  readonly words: readonly string[];
  readonly before: readonly string[];
  readonly calls: readonly string[];
};

/** Each with what undoes it, or makes it necessary. */
function changes(alice: string): Readonly<Record<string, Change>> {
  const addKey = ["trust", "add", `--prefix=${NAME}`, `--fingerprint=${alice}`, KEY];
  const addRule = ["trust", "add", "--prefix=example.org", "--accept-unsigned"];
  const [removeKey, removeRule] = [
    ["trust", "rm", alice],
    ["trust", "rm", "example.org"],
  ];
  return {
    "a key's addition": { words: addKey, before: removeKey, calls: ADDING },
    "a key's removal": { words: removeKey, before: addKey, calls: REMOVING },
    "a rule's addition": { words: addRule, before: removeRule, calls: ADDING },
    "a rule's removal": { words: removeRule, before: addRule, calls: REMOVING },
  };
}

async function trustOf({ output }: SignedHost): Promise<string> {
  return await output("trust", "list", "--format=json");
}

/** What is trusted can be read, is that of before or after, and the image of the store is judged and verified by it. */
async function assertSound(signed: SignedHost, old: string, when: string): Promise<string> {
  const { output, shell } = signed;
  const now = await trustOf(signed);
  const { trusted } = JSON.parse(await output("trust", "explain", "--format=json", NAME)).now;
  assert.equal(trusted, now.includes(signed.alice), when);
  await output("image", "verify", NAME);
  await shell(
    "find /etc/gantry -name '.?*' -exec touch -d -1day {} +; systemctl reset-failed; systemctl start gantry-gc.service; gantry gc",
  );
  assert.equal(await shell("find /etc/gantry /var/lib/gantry -name '.?*'"), "", when);
  assert.equal(await trustOf(signed), now, when);
  return now === old ? "before" : "after";
}

/** Kills a change at each `call`; gives what each point left. */
async function killEverywhere(
  signed: SignedHost,
  { words, before }: Change,
  call: string,
): Promise<string[]> {
  const left = [];
  for (let point = 1; point < MOST_POINTS; point++) {
    await signed.gantry(before);
    const old = await trustOf(signed);
    // With one thread for the disk, Node's calls come in one order, and are counted in it.
    const env = { UV_THREADPOOL_SIZE: "1" };
    const killed = [...killedAt(call, point), "gantry", ...words];
    const { status, stderr } = await signed.host.exec(killed, { env });
    const when = `${words.join(" ")} killed at ${call} ${point}`;
    assert.ok(status === 0 || status === 137, `${when}: ${stderr}`);
    const state = await assertSound(signed, old, when);
    if (status !== 0) left.push(state);
    else {
      assert.equal(state, "after", when);
      return left;
    }
  }
  throw new Error(`never through ${call}`);
}

test("trust: a change that is killed at any point leaves the trust of before or after, and a store that verifies", async (t) => {
  await withSigned(t, { name: "trust-kills" }, async (signed) => {
    await signed.trustAlice();
    await signed.fetchWeb();
    for (const [name, change] of Object.entries(changes(signed.alice))) {
      for (const call of change.calls) {
        const left = await killEverywhere(signed, change, call);
        assert.ok(left.length > 0, `${name} has no ${call}`);
        t.diagnostic(`${name}, at ${call}: ${left.join(", ")}`);
      }
    }
  });
});
