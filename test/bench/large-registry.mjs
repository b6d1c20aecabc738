/**
 * A registry on loopback with one image, `large:1`, whose only layer is made while it is served: node large-registry.mjs
 * PORT BYTES. The layer is a tar, not compressed, of one file again and again, so that its reader keeps little of it.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const [port, bytes] = process.argv.slice(2).map(Number);
const FILE = 32 * 1024 * 1024;
const ZEROS = Buffer.alloc(1024 * 1024);

function header(name, size) {
  const block = Buffer.alloc(512);
  const put = (text, at) => block.write(text, at, "latin1");
  put(name, 0);
  put("0000644\0", 100);
  put("0000000\0", 108);
  put("0000000\0", 116);
  put(`${size.toString(8).padStart(11, "0")}\0`, 124);
  put("00000000000\0", 136);
  put("        0", 148);
  put("ustar\u000000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

function* layer() {
  for (let left = bytes; left > 0; left -= FILE) {
    yield header("zeros", FILE);
    for (let part = 0; part < FILE; part += ZEROS.length) yield ZEROS;
  }
  yield Buffer.alloc(1024);
}

const hash = createHash("sha256");
let size = 0;
for (const block of layer()) {
  hash.update(block);
  size += block.length;
}
const digest = `sha256:${hash.digest("hex")}`;
const digestOf = (text) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const OCI = "application/vnd.oci.image";
const architecture = process.arch === "x64" ? "amd64" : process.arch;
const config = JSON.stringify({ os: "linux", architecture, rootfs: { type: "layers", diff_ids: [digest] } });
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: `${OCI}.manifest.v1+json`,
  config: { mediaType: `${OCI}.config.v1+json`, digest: digestOf(config), size: config.length },
  layers: [{ mediaType: `${OCI}.layer.v1.tar`, digest, size }],
});

createServer((request, response) => {
  const send = (type, text) =>
    response.writeHead(200, { "content-type": type, "content-length": text.length }).end(text);
  if (/\/manifests\/(1|sha256:)/.test(request.url) && !/referrers/.test(request.url))
    return send(`${OCI}.manifest.v1+json`, manifest);
  if (request.url.endsWith(digestOf(config))) return send("application/octet-stream", config);
  if (!request.url.endsWith(digest)) return response.writeHead(request.url === "/v2/" ? 200 : 404).end();
  response.writeHead(200, { "content-type": "application/octet-stream", "content-length": size });
  pipeline(Readable.from(layer()), response).catch(() => {});
}).listen(port, "127.0.0.1", () => console.log("ready"));
