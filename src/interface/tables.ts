/** Every interface of org.gantry1: what is installed, documented and allowed by the bus policy. */
import type { InterfaceTable } from "../bus/table.ts";
import { APP } from "./app.ts";
import { IMAGE } from "./image.ts";
import { MANAGER } from "./manager.ts";
import { OPERATION } from "./operation.ts";
import { POD } from "./pod.ts";

/** The name on the bus, and where its objects begin. */
export const BUS_NAME = "org.gantry1";
export const ROOT_PATH = "/org/gantry1";

export const TABLES: readonly InterfaceTable[] = [MANAGER, POD, APP, IMAGE, OPERATION];
