import assert from "node:assert/strict";
import { test } from "node:test";
import { normalName, normalScope, scopeFit } from "../../../src/trust/scope.ts";
import { refusal } from "../../fixtures/refusal.ts";

const named = (name: string, reference = `${name}:1`) => ({
  transport: "registry" as const,
  name,
  reference,
});

test("names have one form", () => {
  const docker = "docker.io/library/busybox";
  for (const name of [
    "busybox",
    "docker.io/busybox:1.36",
    "index.docker.io/library/busybox",
    "BusyBox:Latest",
  ]) {
    assert.equal(normalName(name, "registry"), docker, name);
  }
  assert.equal(normalName("Registry.Example:5000/Team/App:1", "registry"), "registry.example:5000/team/app");
  assert.equal(normalName(`r.example/app@sha256:${"a".repeat(64)}`, "registry"), "r.example/app");
  assert.equal(normalName("Example.com/App", "appc"), "example.com/app");
  // What would leave the keystore's directory is no name.
  for (const name of ["example.com/../../etc", "example.com//app", "", "a b/c", "../x"]) {
    assert.throws(() => normalName(name, "appc"), refusal("BadReference", 2, JSON.stringify(name)));
  }
});

test("a scope covers whole segments and nothing else", () => {
  assert.equal(scopeFit("example.com/foo", named("example.com/foobar")), undefined);
  assert.equal(scopeFit("example.com/foo", named("example.com/fo")), undefined);
  assert.equal(scopeFit("example.com", named("example.com.evil.example/foo")), undefined);
  assert.equal(scopeFit("example.com", named("example.com:5000/foo")), undefined);
  assert.equal(scopeFit("example.com/foo", named("example.com/foo")), 2);
  assert.equal(scopeFit("example.com/foo", named("example.com/foo/bar")), 2);
  assert.equal(scopeFit("*", named("example.com/foo")), 0);
});

test("the more specific scope fits better: an image, a repository, its parents, a host, hosts, everything", () => {
  const image = named("a.example.com/team/app");
  const scopes = [
    "*",
    "*.com",
    "*.example.com",
    "a.example.com",
    "a.example.com/team",
    "a.example.com/team/app",
  ];
  const fits = [...scopes, "a.example.com/team/app:1"].map((scope) => scopeFit(scope, image) ?? -1);
  assert.deepEqual(
    fits,
    fits.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(fits).size, fits.length);
  assert.equal(scopeFit("a.example.com/team/app:2", image), undefined);
  assert.equal(scopeFit("*.example.com", named("example.com/app")), undefined);
});

test("a scope with a tag means an image only where it is whole", () => {
  const [tagged, pinned] = [
    "docker.io/library/busybox:1.36",
    `docker.io/library/busybox@sha256:${"a".repeat(64)}`,
  ];
  assert.equal(normalScope("busybox:1.36", "registry"), tagged);
  assert.equal(normalScope("library/busybox:1.36", "registry"), tagged);
  assert.equal(normalScope("index.docker.io/library/busybox:1.36", "registry"), tagged);
  assert.equal(normalScope(`busybox@sha256:${"a".repeat(64)}`, "registry"), pinned);
  const reference = { transport: "registry" as const, name: "docker.io/library/busybox", reference: tagged };
  assert.equal(scopeFit(tagged, reference), Number.POSITIVE_INFINITY);
  assert.equal(normalScope("localhost:5000/app:1", "registry"), "localhost:5000/app:1");
  assert.equal(normalScope("example.com:5000", undefined), "example.com:5000");
  for (const scope of ["busybox:1.36", "busybox:latest", "example.com:"]) {
    assert.equal(normalScope(scope, undefined), undefined, scope);
  }
});

test("a registry may be an IPv6 address, with a port or without", () => {
  for (const host of ["[::1]", "[::1]:5000", "[2001:db8::1]:443"]) {
    for (const scope of [host, `${host}/foo`, `${host}/foo:1`]) {
      for (const transport of ["registry", undefined] as const)
        assert.equal(normalScope(scope.toUpperCase(), transport), scope, scope);
    }
    const name = normalName(`${host}/foo/bar:1`, "registry");
    assert.equal(name, `${host}/foo/bar`);
    assert.equal(scopeFit(`${host}/foo`, named(name)), 2);
  }
  assert.equal(scopeFit("[::1]", named("[::1]:5000/foo")), undefined);
  for (const scope of ["[::1]:foo", "[::1", "[::1]5000"])
    assert.equal(normalScope(scope, undefined), undefined, scope);
});

test("scopes are normalised as names are, and globs are refused", () => {
  assert.equal(normalScope("busybox", "registry"), "docker.io/library/busybox");
  assert.equal(normalScope("library/busybox", "registry"), "docker.io/library/busybox");
  assert.equal(normalScope("index.docker.io", "registry"), "docker.io");
  assert.equal(normalScope("Example.com/Foo/", undefined), "example.com/foo");
  assert.equal(normalScope("localhost:5000", "registry"), "localhost:5000");
  for (const scope of ["example.com/foo/*", "exam*le.com", "*.example.com/foo", "a/../b", "a//b", "/"]) {
    assert.equal(normalScope(scope, undefined), undefined, scope);
  }
});
