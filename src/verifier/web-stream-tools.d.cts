/** The two types of @openpgp/web-stream-tools that openpgp.js's own types name; the package itself is part of openpgp.js. */
declare module "@openpgp/web-stream-tools" {
  export type WebStream<T> = globalThis.ReadableStream<T>;
  export type NodeWebStream<T> = import("node:stream/web").ReadableStream<T>;
}
