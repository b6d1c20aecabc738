/**
 * A message reader for dbus-next that a peer can neither crash nor exhaust. dbus-next's own one decodes every body
 * before anybody has looked at the message: a signature with `h` but no descriptor throws out of a stream callback
 * (the process dies), and 31 MiB of tiny variants take gigabytes. Any local user may send either as a signal.
 */
import type { Readable } from "node:stream";
import DBusBuffer from "dbus-next/lib/dbus-buffer.js";
import message from "dbus-next/lib/message.js";

export type RawMessage = {
  serial: number;
  type: number;
  flags: number;
  path?: string;
  interface?: string;
  member?: string;
  errorName?: string;
  replySerial?: number;
  destination?: string;
  sender?: string;
  signature?: string;
  unixFd?: number;
  body?: unknown[];
};

/** Decides by a message's head and the length of its body whether the body may be decoded. */
export type Admission = (head: RawMessage, length: number) => boolean;

export const METHOD_CALL = 1;
export const METHOD_RETURN = 2;
export const ERROR = 3;
export const SIGNAL = 4;

/** A bit beyond the byte of flags on the wire: the body was not decoded. */
export const BODY_REFUSED = 0x100;

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
  message.unmarshalMessages = (stream, onMessage, options) =>
    readMessages(stream, onMessage, "admit" in options ? (options.admit as Admission) : () => false);
}

/** Calls `onMessage` for each message; a body that is refused arrives as empty, with signature "" and BODY_REFUSED. */
export function readMessages(
  stream: Readable,
  onMessage: (message: RawMessage) => void,
  admit: Admission,
): void {
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
      const decoded = decode({ header: whole, rest, sizes, admit });
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

type Packet = {
  readonly header: Buffer;
  readonly rest: Buffer;
  readonly sizes: Sizes;
  readonly admit: Admission;
};

/**
 * The message, or undefined when it is to be ignored: of an unknown type, as the specification asks (dbus-next would
 * take it for an error of the connection), or with a header that cannot be read, when there is nobody to answer.
 */
function decode({ header, rest, sizes, admit }: Packet): RawMessage | undefined {
  const type = header.readUInt8(1);
  if (type < METHOD_CALL || type > SIGNAL) return undefined;
  const reader = new DBusBuffer(rest, 0, sizes.endian, undefined, { ayBuffer: true });
  const serial = sizes.endian === LITTLE_ENDIAN ? header.readUInt32LE(8) : header.readUInt32BE(8);
  const raw: RawMessage = { serial, type, flags: header.readUInt8(2) };
  try {
    Object.assign(raw, headerFields(reader, sizes.fields));
  } catch {
    return undefined;
  }
  if ((raw.signature ?? "") === "") return { ...raw, signature: "", body: [] };
  const body = admit(raw, sizes.body) ? decodeBody(reader, raw.signature ?? "") : undefined;
  if (body === undefined) return { ...raw, flags: raw.flags | BODY_REFUSED, signature: "", body: [] };
  return { ...raw, body };
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

function decodeBody(reader: DBusBuffer, signature: string): unknown[] | undefined {
  try {
    return reader.read(signature);
  } catch {
    return undefined;
  }
}
