import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connectWhenNeeded } from "../../../src/systemd/systemd.ts";

test("systemd: a connection that has failed is tried again by the next who needs it", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "gantry-systemd-"));
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  t.after(async () => {
    server.close();
    await rm(directory, { recursive: true });
  });
  server.listen(join(directory, "socket"));
  await once(server, "listening");
  const systemd = connectWhenNeeded({ address: `unix:path=${directory}/socket` });
  const failure = { kind: "SystemdFailed", message: /system bus/ };
  await Promise.all([assert.rejects(systemd(), failure), assert.rejects(systemd(), failure)]);
  assert.equal(connections, 1);
  await assert.rejects(systemd(), failure);
  assert.equal(connections, 2);
});
