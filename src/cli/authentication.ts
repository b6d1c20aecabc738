/**
 * Asks for a password on the terminal when polkit wants one, as systemctl does: pkttyagent stands by while a call is
 * under way. Where a desktop has an agent of its own, or there is no terminal, nothing is asked here.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";

/** Starts it and waits until polkit knows it; its disposal ends it. Without the program polkit just refuses. */
export async function standByForPassword(terminal: boolean): Promise<Disposable> {
  if (!terminal) return { [Symbol.dispose]: () => {} };
  const words = ["--process", String(process.pid), "--fallback", "--notify-fd", "3"];
  const child = spawn("pkttyagent", words, { stdio: ["inherit", "inherit", "inherit", "pipe"] });
  const failed = new Promise<void>((resolve) => child.once("error", () => resolve()));
  const ready = child.stdio[3] as NodeJS.ReadableStream;
  // Nothing is written: it closes the descriptor when it is registered.
  ready.resume();
  await Promise.race([once(ready, "close"), failed]);
  return { [Symbol.dispose]: () => void child.kill() };
}
