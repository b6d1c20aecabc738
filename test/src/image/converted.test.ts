/** What annotations keep of an OCI configuration on its way through an appc manifest. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { convertedApp } from "../../../src/image/converted.ts";

const ENTRYPOINT = "appc.io/docker/entrypoint";
const CMD = "appc.io/docker/cmd";

test("the command is taken apart as it was, if it still is that command", () => {
  const annotations = { [ENTRYPOINT]: '["/a"]', [CMD]: '["b","c"]', "gantry/stop-signal": "SIGQUIT" };
  const app = { entrypoint: ["/a"], cmd: ["b", "c"], stopSignal: "SIGQUIT" };
  assert.deepEqual(convertedApp(["/a", "b", "c"], annotations), app);
  const changed = { entrypoint: ["/a", "x"], cmd: [], stopSignal: "SIGQUIT" };
  assert.deepEqual(convertedApp(["/a", "x"], annotations), changed);
});

test("annotations that mean nothing are not minded", () => {
  const plain = { entrypoint: ["/a"], cmd: [], stopSignal: "SIGTERM" };
  for (const text of ["", "{", "[1]", '"x"', "{}"])
    assert.deepEqual(convertedApp(["/a"], { [ENTRYPOINT]: text, [CMD]: "[]" }), plain, text);
  assert.deepEqual(convertedApp(["/a"], { [ENTRYPOINT]: "null", [CMD]: '["/a"]' }).cmd, ["/a"]);
  assert.deepEqual(convertedApp(["/a"], { "gantry/stop-signal": "SIGNOTHING" }), plain);
});
