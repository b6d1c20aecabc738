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

test("trust: an import that is refused, or killed at any point, accepts nothing that its policy does not", async (t) => {
  await withSigned(t, { name: "trust-import" }, async ({ host, shell, refused }) => {
    const [accept, reject] = [[{ type: "insecureAcceptAnything" }], [{ type: "reject" }]];
    const places = { "docker.io": reject, "docker.io/library": accept, "r.example/app:1": reject };
    const policy = { default: accept, transports: { docker: places } };
    await shell("mkdir -p /etc/containers /etc/gantry/trust.d");
    await host.put("/etc/containers/policy.json", JSON.stringify(policy));
    const files = async () => (await shell("ls /etc/gantry/trust.d")).split("\n");

    const mine = [{ scope: "docker.io/library", transport: "registry", requirements: [{ kind: "reject" }] }];
    await host.put("/etc/gantry/trust.d/mine.json", JSON.stringify({ version: 1, rules: mine }));
    const texts = ["mine.json", '"docker.io/library"', "edit it there"];
    await refused(["trust", "import", "containers"], { status: 1, texts });
    assert.deepEqual(await files(), ["mine.json"]);

    const order = [
      ...["r.example%2Fapp%3A1.registry.json", "docker.io%2Flibrary.registry.json"],
      ...["docker.io.registry.json", "%2A.file.json", "%2A.json"],
    ];
    for (let point = 1; point < MOST_POINTS; point++) {
      await shell("find /etc/gantry/trust.d -type f -delete");
      const killed = [...killedAt("rename", point), "gantry", "trust", "import", "containers"];
      const { status, stderr } = await host.exec(killed, { env: { UV_THREADPOOL_SIZE: "1" } });
      assert.ok(status === 0 || status === 137, `point ${point}: ${stderr}`);
      const written = status === 0 ? order.length : point - 1;
      const found = (await files()).filter((name) => name.endsWith(".json"));
      assert.deepEqual(found.sort(), order.slice(0, written).sort(), `point ${point}`);
      if (status === 0) return assert.equal(point, order.length + 1);
    }
    assert.fail("never through rename");
  });
});
