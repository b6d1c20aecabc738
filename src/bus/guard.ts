/**
 * A message reader for dbus-next that a peer can neither crash nor exhaust. dbus-next's own one decodes every body
 * before anybody has looked at the message: a signature with `h` but no descriptor throws out of a stream callback
 * (the process dies), and 31 MiB of tiny variants take gigabytes. Any local user may send either as a signal.
 */
import type { Readable } from "node:stream";
import DBusBuffer from "dbus-next/lib/dbus-buffer.js";
import message from "dbus-next/lib/message.js";

/** A message as dbus-next's connection takes it from its reader. */
export type RawMessage = {
  serial: number;
  type: number;
  flags: number;
  signature?: string;
  body?: unknown[];
};

/** Bodies beyond this are not decoded. ListUnits of ten thousand units stays below. */
const MAX_BODY = 4 << 20;
const LITTLE_ENDIAN = 0x6c;
const HEADER_FIELDS = {
  type: "(",
  child: [
    { type: "y", child: [] },
    { type: "v", child: [] },
  ],
};
const FIELD_NAMES = [
  undefined,
  "path",
  "interface",
  "member",
  "errorName",
  "replySerial",
  "destination",
  "sender",
  "signature",
  "unixFd",
] as const;

type Sizes = {
  readonly endian: number;
  readonly fields: number;
  readonly padded: number;
  readonly body: number;
};

/** Replaces dbus-next's reader; connections made from now on use the guarded one. */
export function guardMessages(): void {
  message.unmarshalMessages = readMessages;
}

/** Calls `onMessage` for each message of the stream; a body that is refused arrives as empty, with signature "". */
export function readMessages(stream: Readable, onMessage: (message: RawMessage) => void): void {
  let header: Buffer | null = null;
  stream.on("readable", () => {
    for (;;) {
      header ??= stream.read(16) as Buffer | null;
      if (header === null) return;
      const sizes = sizesOf(header);
      const rest = stream.read(sizes.padded + sizes.body) as Buffer | null;
      if (rest === null) return;
      const whole = header;
      header = null;
      const decoded = decode(whole, rest, sizes);
      if (decoded !== undefined) onMessage(decoded);
    }
  });
}

function sizesOf(header: Buffer): Sizes {
  const endian = header.readUInt8(0);
  const at = (offset: number) =>
    endian === LITTLE_ENDIAN ? header.readUInt32LE(offset) : header.readUInt32BE(offset);
  const fields = at(12);
  return { endian, fields, padded: (fields + 7) & ~7, body: at(4) };
}

/** The message, or undefined when not even its header can be read: then there is nobody to answer. */
function decode(header: Buffer, rest: Buffer, sizes: Sizes): RawMessage | undefined {
  const reader = new DBusBuffer(rest, 0, sizes.endian, undefined, { ayBuffer: true });
  const raw: RawMessage = {
    serial: sizes.endian === LITTLE_ENDIAN ? header.readUInt32LE(8) : header.readUInt32BE(8),
    type: header.readUInt8(1),
    flags: header.readUInt8(2),
  };
  try {
    Object.assign(raw, headerFields(reader, sizes.fields));
  } catch {
    return undefined;
  }
  return { ...raw, ...decodeBody(reader, raw.signature ?? "", sizes.body) };
}

function headerFields(reader: DBusBuffer, length: number): Partial<RawMessage> {
  const fields = reader.readArray(HEADER_FIELDS, length);
  reader.align(3);
  return Object.fromEntries(
    fields.flatMap(([code, [, value]]) => {
      const name = FIELD_NAMES[code];
      return name === undefined ? [] : [[name, value[0]]];
    }),
  );
}

function decodeBody(
  reader: DBusBuffer,
  signature: string,
  length: number,
): { signature: string; body: unknown[] } {
  if (signature === "" || length === 0 || length > MAX_BODY) return { signature: "", body: [] };
  try {
    return { signature, body: reader.read(signature) };
  } catch {
    return { signature: "", body: [] };
  }
}
