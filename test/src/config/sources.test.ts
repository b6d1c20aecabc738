/** From configuration to servers and credentials: precedence, prefixes, and that nobody's credentials reach another. */
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Environment } from "../../../src/config/caller-files.ts";
import { registrySources, type SourceOptions } from "../../../src/config/sources.ts";
import { parseRepository } from "../../../src/image/repository.ts";
import { refusal } from "../../fixtures/refusal.ts";
import { makeAuthority } from "../../fixtures/web.ts";

type Files = Readonly<Record<string, unknown>>;

/** Writes files below a directory of the test's own; what is no text becomes JSON. */
async function place(t: TestContext, files: Files): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "gantry-config-"));
  t.after(() => rm(directory, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  }
  return directory;
}

async function sources(directory: string, name: string, options: Partial<SourceOptions> = {}) {
  const roots = ["etc", "run", "usr"].map((root) => join(directory, root));
  return await registrySources(parseRepository(name), {
    roots,
    insecureOptions: [],
    environment: {},
    ...options,
  });
}

function registries(...entries: readonly object[]): object {
  return { version: 1, registries: entries };
}

const HUB = { url: "https://registry-1.docker.io", capabilities: ["pull", "resolve"] };

test("sources: without any configuration the registry itself", async (t) => {
  const directory = await place(t, {});
  assert.deepEqual(await sources(directory, "busybox"), {
    sources: [{ ...HUB, repository: "library/busybox" }],
    proxy: {},
    signatures: { lookaside: [], cosign: true, referrers: true },
  });
  const {
    sources: [source],
    signatures,
  } = await sources(directory, "127.0.0.1:5000/a/b", {
    insecureOptions: ["http", "tls", "image"],
  });
  assert.deepEqual(source, {
    ...{ url: "https://127.0.0.1:5000", capabilities: ["pull", "resolve"], repository: "a/b" },
    ...{ plainHttp: true, insecureTls: true },
  });
  assert.deepEqual(signatures, { lookaside: [], cosign: false, referrers: false });
});

test("sources: mirrors in order, then the registry; the longest prefix, in whole segments", async (t) => {
  const mirror = { url: "https://mirror.test/hub", capabilities: ["pull", "resolve"] };
  const directory = await place(t, {
    "etc/registries.d/a.json": registries(
      {
        prefix: "docker.io",
        mirrors: [mirror, { url: "http://cache.test" }],
        lookaside: ["https://sigs.test/s"],
      },
      { prefix: "docker.io/library", mirrors: [{ url: "https://official.test" }] },
    ),
    "usr/registries.d/b.json": registries({
      ...{ prefix: "registry.k8s.io/pause", fallback: "never" },
      mirrors: [{ url: "https://mirror.test/k8s/pause", insecure: ["tls"] }],
    }),
  });
  const docker = await sources(directory, "team/app");
  assert.deepEqual(docker.sources, [
    { ...mirror, repository: "team/app" },
    { url: "http://cache.test", capabilities: ["pull"], repository: "team/app", plainHttp: true },
    { ...HUB, repository: "team/app" },
  ]);
  assert.deepEqual(docker.signatures.lookaside, ["https://sigs.test/s"]);
  const official = await sources(directory, "busybox");
  assert.deepEqual(
    official.sources.map(({ url, repository }) => [url, repository]),
    [
      ["https://official.test", "busybox"],
      [HUB.url, "library/busybox"],
    ],
  );
  const pause = {
    url: "https://mirror.test/k8s/pause",
    capabilities: ["pull"],
    repository: "",
    insecureTls: true,
  };
  assert.deepEqual((await sources(directory, "registry.k8s.io/pause:3.9")).sources, [pause]);
  for (const other of ["registry.k8s.io/pausex", "registry.k8s.io/etcd", "docker.io.evil.test/library/x"]) {
    assert.equal((await sources(directory, other)).sources.length, 1, other);
  }
});

test("sources: a registry that moved", async (t) => {
  const directory = await place(t, {
    "etc/registries.d/a.json": registries({ prefix: "old.test", url: "https://new.test:8443/legacy" }),
    "etc/auth.d/old.json": auth("old.test", "old"),
    "etc/auth.d/new.json": auth("new.test:8443", "new"),
  });
  const {
    sources: [source],
  } = await sources(directory, "old.test/team/app");
  assert.deepEqual(
    [source?.url, source?.repository, source?.credentials],
    ["https://new.test:8443/legacy", "team/app", basic("new")],
  );
});

test("sources: files of a name are masked by the directory that goes first, and by nothing", async (t) => {
  const directory = await place(t, {
    "etc/registries.d/10.json": registries({ prefix: "a.test", url: "https://etc.test" }),
    "run/registries.d/10.json": registries({ prefix: "a.test", url: "https://run.test" }),
    "run/registries.d/20.json": registries({ prefix: "b.test", url: "https://run.test" }),
    "usr/registries.d/20.json": registries({ prefix: "b.test", url: "https://usr.test" }),
    "etc/registries.d/30.json": "",
    "usr/registries.d/30.json": registries({ prefix: "c.test", url: "https://usr.test" }),
    "usr/registries.d/40.json": registries({ prefix: "d.test", url: "https://usr.test" }),
    "usr/registries.d/note.txt": "not looked at",
  });
  await symlink("/dev/null", join(directory, "etc/registries.d/40.json"));
  const urls = ["a", "b", "c", "d"].map(
    async (host) => (await sources(directory, `${host}.test/x`)).sources[0]?.url,
  );
  assert.deepEqual(await Promise.all(urls), [
    "https://etc.test",
    "https://run.test",
    "https://c.test",
    "https://d.test",
  ]);
});

for (const [what, content, text] of [
  ["no JSON", "{", "is not JSON"],
  ["a password in what is no JSON", '{"password": "hunter2" oops', "is not JSON"],
  ["a list", "[]", "is wrong"],
  ["another version", { version: 2, registries: [] }, '"version"'],
  ["an unknown key", registries({ prefix: "a.test", mirror: [] }), '"registries.0"'],
  ["a prefix with a scheme", registries({ prefix: "https://a.test" }), '"registries.0.prefix"'],
  [
    "a URL that is none",
    registries({ prefix: "a.test", mirrors: [{ url: "mirror.test" }] }),
    '"registries.0.mirrors.0.url"',
  ],
  ["a file for a URL", registries({ prefix: "a.test", url: "file:///etc" }), '"registries.0.url"'],
  [
    "an unknown capability",
    registries({ prefix: "a.test", mirrors: [{ url: "https://m.test", capabilities: ["push"] }] }),
    "capabilities.0",
  ],
  [
    "a wrong password",
    registries({
      prefix: "a.test",
      mirrors: [{ url: "https://m.test", credentials: { user: "u", password: 5 } }],
    }),
    "credentials",
  ],
  ["a relative certificate", registries({ prefix: "a.test", ca: "ca.pem" }), '"registries.0.ca"'],
  ["a prefix twice", registries({ prefix: "a.test" }, { prefix: "a.test" }), 'prefix "a.test"'],
  ["a prototype", '{"version":1,"registries":[],"__proto__":{"x":1}}', "is wrong"],
] as const) {
  test(`sources: a file of registries.d with ${what}`, async (t) => {
    const directory = await place(t, { "etc/registries.d/x.json": content });
    const said = refusal("BadConfig", 1, join(directory, "etc/registries.d/x.json"), text);
    await assert.rejects(sources(directory, "a.test/x"), (error: Error) => {
      assert.doesNotMatch(error.message, /hunter2/);
      return said(error);
    });
  });
}

test("sources: a file that is too large, or may be written by everybody", async (t) => {
  const directory = await place(t, { "etc/registries.d/x.json": " ".repeat(1024 * 1024 + 1) });
  const path = join(directory, "etc/registries.d/x.json");
  await assert.rejects(sources(directory, "a.test/x"), refusal("BadConfig", 1, path, "1048576"));
  await writeFile(path, JSON.stringify(registries()));
  await chmod(path, 0o666);
  await assert.rejects(sources(directory, "a.test/x"), refusal("BadConfig", 1, path, "everybody"));
});

test("sources: certificates are read with the configuration", async (t) => {
  const { ca } = await makeAuthority();
  const directory = await place(t, {
    "ca.pem": ca,
    "wrong.pem": ca.replace(/\n[^-]/, "\n!"),
    "none.pem": "-----BEGIN",
  });
  const configure = (name: string) =>
    writeFile(
      join(directory, "etc/registries.d/x.json"),
      JSON.stringify(registries({ prefix: "a.test", ca: join(directory, name) })),
    );
  await mkdir(join(directory, "etc/registries.d"), { recursive: true });
  await configure("ca.pem");
  assert.equal((await sources(directory, "a.test/x")).sources[0]?.ca, ca);
  for (const name of ["wrong.pem", "none.pem", "missing.pem"]) {
    await configure(name);
    await assert.rejects(sources(directory, "a.test/x"), refusal("BadConfig", 1, join(directory, name)));
  }
});

function auth(host: string, user: string): object {
  return {
    rktKind: "dockerAuth",
    rktVersion: "v1",
    registries: [host],
    credentials: { user, password: "p" },
  };
}

function basic(user: string): object {
  return { kind: "basic", user, password: "p" };
}

async function credentials(
  directory: string,
  name: string,
  options?: Partial<SourceOptions>,
): Promise<unknown> {
  return (await sources(directory, name, options)).sources.at(-1)?.credentials;
}

test("auth.d: dockerAuth for a registry, by all its names; a directory that goes first hides the others'", async (t) => {
  const directory = await place(t, {
    "etc/auth.d/a.json": auth("a.test", "etc"),
    "usr/auth.d/b.json": auth("a.test", "usr"),
    "usr/auth.d/c.json": auth("index.docker.io", "hub"),
    "usr/auth.d/d.json": auth("https://d.test:5000/v2/", "d"),
    "usr/auth.d/e.json": {
      ...{ rktKind: "auth", rktVersion: "v1", domains: ["e.test"], type: "oauth" },
      credentials: { token: "for ACIs" },
    },
  });
  assert.deepEqual(await credentials(directory, "a.test/x"), basic("etc"));
  assert.deepEqual(await credentials(directory, "busybox"), basic("hub"));
  assert.deepEqual(await credentials(directory, "d.test:5000/x"), basic("d"));
  assert.equal(await credentials(directory, "d.test/x"), undefined);
  assert.equal(await credentials(directory, "e.test/x"), undefined);
});

for (const [what, kind, content, text] of [
  ["no kind", "BadConfig", {}, '"rktKind"'],
  ["another kind", "BadConfig", { rktKind: "paths", rktVersion: "v1" }, '"rktKind"'],
  ["another version", "BadConfig", { ...auth("a", "b"), rktVersion: "v2" }, '"rktVersion"'],
  ["no registry", "BadConfig", { ...auth("a", "b"), registries: [] }, '"registries"'],
  ["an empty user", "BadConfig", auth("a", ""), '"credentials.user"'],
  ["an unknown type", "BadConfig", { rktKind: "auth", rktVersion: "v1", type: "magic" }, '"type"'],
] as const) {
  test(`auth.d: a file with ${what}`, async (t) => {
    const directory = await place(t, { "etc/auth.d/x.json": content });
    await assert.rejects(
      sources(directory, "a.test/x"),
      refusal(kind, 1, join(directory, "etc/auth.d/x.json"), text),
    );
  });
}

test("auth.d: a host twice in one directory", async (t) => {
  const files = { "etc/auth.d/x.json": auth("a.test", "x"), "etc/auth.d/y.json": auth("http://a.test", "y") };
  const directory = await place(t, files);
  const said = refusal(
    "BadConfig",
    1,
    join(directory, "etc/auth.d/y.json"),
    "a.test",
    join(directory, "etc/auth.d/x.json"),
  );
  await assert.rejects(sources(directory, "b.test/x"), said);
});

test("credentials: those of a registry are never a mirror's, nor the other way round", async (t) => {
  const directory = await place(t, {
    "etc/registries.d/x.json": registries({
      prefix: "a.test",
      mirrors: [
        { url: "https://known.test/a" },
        { url: "https://stranger.test" },
        { url: "https://own.test", credentials: { token: "t" } },
      ],
    }),
    "etc/auth.d/a.json": auth("a.test", "a"),
    "etc/auth.d/k.json": auth("known.test", "known"),
  });
  const found = await sources(directory, "a.test/x");
  assert.deepEqual(
    found.sources.map(({ credentials }) => credentials),
    [basic("known"), undefined, { kind: "bearer", token: "t" }, basic("a")],
  );
});

const base64 = (text: string) => Buffer.from(text).toString("base64");

/** The caller's home in a directory. */
function caller(directory: string, more: Environment = {}): Partial<SourceOptions> {
  const environment = { HOME: join(directory, "home"), PATH: join(directory, "bin"), ...more };
  return { environment, caller: environment };
}

test("caller: config.json and auth.json, whose longest key wins", async (t) => {
  const directory = await place(t, {
    "home/.docker/config.json": {
      auths: {
        "https://index.docker.io/v1/": { auth: base64("hub:p") },
        "a.test": { auth: base64("docker:p") },
        "c.test": { username: "u", password: "p" },
      },
      psFormat: "whatever else docker keeps here",
    },
    "home/.config/containers/auth.json": {
      auths: {
        "a.test/team": { auth: base64("team:p") },
        "a.test/team/app": { auth: base64("app:p") },
        "b.test": { identitytoken: "refresh" },
      },
    },
    "etc/auth.d/a.json": auth("a.test", "machine"),
  });
  const options = caller(directory);
  const users = async (name: string) => await credentials(directory, name, options);
  assert.deepEqual(await users("busybox"), basic("hub"));
  assert.deepEqual(await users("a.test/team/app"), basic("app"));
  assert.deepEqual(await users("a.test/team/app2"), basic("team"));
  assert.deepEqual(await users("a.test/teams"), basic("docker"));
  assert.deepEqual(await users("b.test/x"), { kind: "identity-token", token: "refresh" });
  assert.deepEqual(await users("c.test/x"), basic("u"));
  assert.deepEqual(await credentials(directory, "a.test/team/app"), basic("machine"));
});

test("caller: REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR and DOCKER_CONFIG", async (t) => {
  const file = (user: string) => ({ auths: { "a.test": { auth: base64(`${user}:p`) } } });
  const directory = await place(t, {
    "named.json": file("named"),
    "run/user/containers/auth.json": file("runtime"),
    "docker/config.json": file("docker"),
  });
  const with_ = async (environment: Environment) =>
    await credentials(directory, "a.test/x", { caller: environment });
  const runtime = { XDG_RUNTIME_DIR: join(directory, "run/user") };
  const docker = { DOCKER_CONFIG: join(directory, "docker") };
  assert.deepEqual(
    await with_({ REGISTRY_AUTH_FILE: join(directory, "named.json"), ...runtime }),
    basic("named"),
  );
  assert.deepEqual(await with_({ ...runtime, ...docker }), basic("runtime"));
  assert.deepEqual(await with_(docker), basic("docker"));
  assert.equal(await with_({ HOME: "", XDG_RUNTIME_DIR: "relative" }), undefined);
});

for (const [what, content, text] of [
  ["no JSON", "nonsense", "is not JSON"],
  ["no base64", { auths: { "a.test": { auth: "!" } } }, "auths.a.test.auth"],
  ["no password", { auths: { "a.test": { auth: base64("user") } } }, "auths.a.test.auth"],
  ["a list", { auths: [] }, '"auths"'],
] as const) {
  test(`caller: a config.json with ${what}`, async (t) => {
    const directory = await place(t, { "home/.docker/config.json": content });
    const said = refusal("BadConfig", 1, join(directory, "home/.docker/config.json"), text);
    await assert.rejects(credentials(directory, "a.test/x", caller(directory)), said);
  });
}

test("caller: files of another user are passed over", async (t) => {
  const content = { credsStore: "evil" };
  const directory = await place(t, {
    "home/.docker/config.json": content,
    "bin/docker-credential-evil": "#!/bin/sh\n",
  });
  const { chown } = await import("node:fs/promises");
  await chown(join(directory, "home/.docker/config.json"), 12345, 12345);
  assert.equal(await credentials(directory, "a.test/x", caller(directory)), undefined);
});

/** A helper that notes what it was asked, and says `answer`. */
function helper(answer: string, status = 0): string {
  return `#!/bin/sh\necho "$1 $(/bin/cat)" >>"\${0%/*}/asked"\n${answer}\nexit ${status}\n`;
}

async function helped(t: TestContext, config: object, script: string): Promise<string> {
  const directory = await place(t, { "home/.docker/config.json": config, "bin/docker-credential-x": script });
  await chmod(join(directory, "bin/docker-credential-x"), 0o755);
  return directory;
}

test("helper: for one registry, and the store for all", async (t) => {
  const config = { credHelpers: { "a.test": "x" }, credsStore: "x", auths: { "b.test": {} } };
  const directory = await helped(t, config, helper(`echo '{"Username":"u","Secret":"p"}'`));
  const options = caller(directory);
  for (const name of ["a.test/x", "b.test/x", "busybox"]) {
    assert.deepEqual(await credentials(directory, name, options), basic("u"), name);
  }
  const { readFile } = await import("node:fs/promises");
  const asked = await readFile(join(directory, "bin/asked"), "utf8");
  assert.equal(asked, "get a.test\nget b.test\nget https://index.docker.io/v1/\n");
});

test("helper: a token, and nothing", async (t) => {
  const token = helper(`echo '{"Username":"<token>","Secret":"refresh"}'`);
  const one = await helped(t, { credsStore: "x" }, token);
  assert.deepEqual(await credentials(one, "a.test/x", caller(one)), {
    kind: "identity-token",
    token: "refresh",
  });
  const two = await helped(
    t,
    { credsStore: "x" },
    helper("echo credentials not found in native keychain", 1),
  );
  assert.equal(await credentials(two, "a.test/x", caller(two)), undefined);
});

for (const [what, config, script, text] of [
  ["fails", { credsStore: "x" }, helper("echo locked", 1), "locked"],
  ["says nonsense", { credsStore: "x" }, helper("echo hello"), "not understood"],
  ["never stops talking", { credsStore: "x" }, helper("exec /usr/bin/yes"), "fails"],
  ["is not there", { credsStore: "missing" }, "", "docker-credential-missing"],
  ["is a path", { credHelpers: { "a.test": "../../evil" } }, "", "which is no name"],
] as const) {
  test(`helper: one that ${what}`, async (t) => {
    const directory = await helped(t, config, script);
    const said = refusal("BadConfig", 1, join(directory, "home/.docker/config.json"), text);
    await assert.rejects(credentials(directory, "a.test/x", caller(directory)), said);
  });
}

test("helper: one that never answers", async () => {
  const { askHelper } = await import("../../../src/config/credential-helper.ts");
  const directory = await mkdtemp(join(tmpdir(), "gantry-helper-"));
  const program = join(directory, "docker-credential-slow");
  await writeFile(program, "#!/bin/sh\nexec /bin/sleep 600\n", { mode: 0o755 });
  const options = {
    registry: "a.test",
    path: "/config.json",
    environment: { PATH: directory },
    patience: 200,
  };
  await assert.rejects(askHelper("slow", options), refusal("TimedOut", 1, "docker-credential-slow"));
  await rm(directory, { recursive: true });
});

test("proxies: of the environment, in either case", async (t) => {
  const directory = await place(t, {});
  const proxy = async (environment: Environment) =>
    (await sources(directory, "a.test/x", { environment })).proxy;
  assert.deepEqual(
    await proxy({ HTTP_PROXY: "proxy.test:3128", https_proxy: "http://u:p@s.test", NO_PROXY: "x,y" }),
    {
      http: "http://proxy.test:3128/",
      https: "http://u:p@s.test/",
      except: "x,y",
    },
  );
  for (const value of ["socks5://p.test", "http://", "::"]) {
    const said = refusal("BadConfig", 1, '"https_proxy"');
    await assert.rejects(proxy({ HTTPS_PROXY: value }), said, value);
  }
});
