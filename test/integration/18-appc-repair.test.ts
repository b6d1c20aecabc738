/** Repair of an image whose layers are another's, from the servers that have them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AciHost, ARCH, withAciHost } from "../fixtures/aci-host.ts";
import { busyboxEntries } from "../fixtures/trees.ts";

async function succeed({ host }: AciHost, ...words: string[]): Promise<string> {
  const { status, stdout, stderr } = await host.exec(words);
  assert.equal(status, 0, `${words.join(" ")}\n${stdout}${stderr}`);
  return stdout.trim();
}

test("a damaged layer of a dependency is fetched anew by verify --repair; else it says which image, and why", async (t) => {
  await withAciHost(t, { name: "appc-repair" }, async (acis) => {
    await acis.publish("busybox", busyboxEntries("rootfs/"), {
      manifest: { pathWhitelist: ["/bin/busybox", "/bin/sh"] },
    });
    await acis.publish("app", [{ name: "rootfs/own", body: "app" }], {
      manifest: {
        dependencies: [{ imageName: "example.com/busybox" }],
        app: { exec: ["/bin/sh", "-c", "echo works"], user: "0", group: "0" },
      },
    });
    await acis.host.exec(["sh", "-c", "cat >>/etc/ssl/certs/ca-certificates.crt"], { input: acis.ca });
    await succeed(acis, "gantry", "fetch", "--insecure-options=image", "example.com/app");
    await succeed(
      acis,
      "sh",
      "-c",
      "for file in /var/lib/gantry/layers/*/bin/busybox; do echo evil >>$file; done",
    );
    const path = `/example.com/busybox-latest-${ARCH}.aci`;
    acis.serve(path, { status: 404 });
    const failed = await acis.host.exec(["gantry", "image", "verify", "--repair", "example.com/app"]);
    assert.equal(failed.status, 4, failed.stderr);
    assert.match(failed.stderr, /"example\.com\/busybox[^"]*", which "example\.com\/app[^"]*" depends on: /);
    assert.ok(failed.stderr.includes(`https://dl.example.com${path}`), failed.stderr);
    acis.serve(path, { file: "busybox.aci" });
    assert.match(
      await succeed(acis, "gantry", "image", "verify", "--repair", "example.com/app"),
      /: repaired, 2 layers/,
    );
    await succeed(acis, "gantry", "image", "verify", "--all");
    assert.equal(
      await succeed(acis, "gantry", "run", "--insecure-options=image", "--net=none", "example.com/app"),
      "works",
    );
    assert.equal(
      await succeed(
        acis,
        "sh",
        "-c",
        "find /var/lib/gantry/inbox -mindepth 1; find /var/lib/gantry -maxdepth 2 -name '.*'",
      ),
      "",
    );
  });
});
