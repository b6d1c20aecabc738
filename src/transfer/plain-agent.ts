/**
 * Connections without TLS that are read in large pieces. Node hands on 64 kB at a time, and each time costs as much as
 * copying twice that; TLS has records of 16 kB, for which nothing can be done here.
 */
import { Agent } from "node:http";
import { createConnection, type NetConnectOpts, type Socket, type TcpNetConnectOpts } from "node:net";

/** Bytes that are allocated at once, and the fewest that are worth asking for. */
const SLAB = 512 * 1024;
const LEAST = 128 * 1024;

export class PlainAgent extends Agent {
  /** Called by Agent for each connection it opens. */
  override createConnection(options: NetConnectOpts): Socket {
    const slab = slabs();
    const socket: Socket = createConnection({
      ...(options as TcpNetConnectOpts),
      onread: { buffer: slab.rest, callback: (count): boolean => socket.push(slab.take(count)) },
    });
    return socket;
  }
}

/** Memory for one read after the other: what is taken belongs to the taker. */
function slabs() {
  let slab = Buffer.alloc(0);
  return {
    /** Where the next bytes go. */
    rest: () => {
      if (slab.length < LEAST) slab = Buffer.allocUnsafeSlow(SLAB);
      return slab;
    },
    /** The first bytes of it, which were read. */
    take: (count: number) => {
      const taken = slab.subarray(0, count);
      slab = slab.subarray(count);
      return taken;
    },
  };
}
