/** The launch order to the native half, over descriptor 3 (docs/launch-plan.md). */
import { closeSync, fstatSync, writeFileSync, writeSync } from "node:fs";
import { errnoOf, errnoText, GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { LaunchablePod, PodManager } from "../manager/manager.ts";
import type { LaunchOrder } from "../stage1/order.ts";
import { forEachWord } from "./each.ts";
import type { Context } from "./verb.ts";

const ORDER_FD = 3;

/** Makes sure that somebody takes the order, before anything is prepared. Throws Unsupported. */
export function checkFront(verb: string): void {
  if (!isPipe(ORDER_FD)) throw nativeHalfMissing(verb);
}

export function nativeHalfMissing(verb: string): GantryError {
  return new GantryError(
    "Unsupported",
    `gantry ${verb} launches through its native half, which is not there`,
    {
      hint: "start it as gantry, not through node",
    },
  );
}

function isPipe(fd: number): boolean {
  try {
    return fstatSync(fd).isFIFO();
  } catch (error) {
    if (errnoOf(error) === "EBADF") return false;
    throw error;
  }
}

/** Hands the pods over. */
export function orderLaunch(pods: readonly LaunchablePod[], { detach }: { readonly detach: boolean }): void {
  const order: LaunchOrder = {
    version: 1,
    pods: pods.map(({ directory, uuid, name }) => ({ directory, uuid, name })),
    attach: detach ? "detach" : "foreground",
    terminal: pods.some((pod) => pod.terminal),
    stdin: pods.some((pod) => pod.stdin),
  };
  writeSync(ORDER_FD, `${JSON.stringify(order)}\n`);
  closeSync(ORDER_FD);
}

/** Starts pods in the background: systemd those that are installed, the native half the others. Gives the exit status. */
export async function startInBackground(
  context: Context,
  manager: PodManager,
  { pods, restart }: { readonly pods: readonly LaunchablePod[]; readonly restart: boolean },
): Promise<number> {
  const ordered = pods.filter(({ service }) => service === undefined);
  if (ordered.length > 0) orderLaunch(ordered, { detach: true });
  const installed = pods.filter(({ service }) => service !== undefined).map(({ uuid }) => uuid);
  return await forEachWord(context, installed, async (uuid) => {
    context.out(`${await manager.startInstalled(uuid, { restart })}\n`);
  });
}

/** Writes the UUID for scripts, without a newline as rkt does. Throws Usage when the file cannot be written. */
export function saveUuid(file: string | undefined, uuid: string): void {
  if (file === undefined) return;
  try {
    writeFileSync(file, uuid, { mode: 0o644 });
  } catch (cause) {
    const text = `--uuid-file-save: ${quoted(file)} cannot be written: ${errnoText(cause)}`;
    throw new GantryError("Usage", text, { cause });
  }
}
