/** The two inner modules of dbus-next that the message guard needs; its own types cover only the main module. */

declare module "dbus-next/lib/message.js" {
  const message: {
    unmarshalMessages(
      stream: import("node:stream").Readable,
      onMessage: (message: object) => void,
      options: object,
    ): void;
  };
  export = message;
}

declare module "dbus-next/lib/dbus-buffer.js" {
  class DBusBuffer {
    constructor(buffer: Buffer, start: number, endian: number, fds: undefined, options: object);
    align(power: number): void;
    read(signature: string): unknown[];
    readArray(
      element: object,
      length: number,
    ): [field: number, variant: [signature: unknown, value: unknown[]]][];
  }
  export = DBusBuffer;
}
