/** The facts that a start and an end leave on disk (docs/launch-plan.md, "Exit facts"). */
import * as z from "zod";
import { readDocument } from "./layout.ts";

const Common = { version: z.literal(1), time: z.int(), boot: z.string() };
const Started = z.strictObject({ ...Common, pid: z.int().optional(), unit: z.string().optional() });
const Exit = z.strictObject({ ...Common, result: z.string(), code: z.string(), status: z.int() });
const Ended = z.strictObject({ ...Common, result: z.string() });

export type Started = z.infer<typeof Started>;
export type Exit = z.infer<typeof Exit>;
export type Ended = z.infer<typeof Ended>;

export type AppFacts = { readonly started: Started | undefined; readonly exit: Exit | undefined };
export type PodFacts = {
  readonly started: Started | undefined;
  readonly ended: Ended | undefined;
  readonly apps: ReadonlyMap<string, AppFacts>;
};

/** Reads the facts of a pod. Throws StoreCorrupt. */
export async function readFacts(directory: string, apps: readonly string[]): Promise<PodFacts> {
  const [started, ended, ...facts] = await Promise.all([
    readDocument(`${directory}/started`, Started),
    readDocument(`${directory}/ended`, Ended),
    ...apps.map((app) => appFacts(`${directory}/apps/${app}/status`)),
  ]);
  return { started, ended, apps: new Map(apps.map((app, index) => [app, facts[index] as AppFacts])) };
}

async function appFacts(directory: string): Promise<AppFacts> {
  const [started, exit] = await Promise.all([
    readDocument(`${directory}/started`, Started),
    readDocument(`${directory}/exit`, Exit),
  ]);
  return { started, exit };
}
