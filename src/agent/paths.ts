/** Where the objects are. */
import { objectPath } from "../bus/objects.ts";
import { ROOT_PATH } from "../interface/tables.ts";

export const PODS = `${ROOT_PATH}/pod`;
export const APPS = `${ROOT_PATH}/app`;
export const IMAGES = `${ROOT_PATH}/image`;
export const OPERATIONS = `${ROOT_PATH}/operation`;

export function podPath(uuid: string): string {
  return objectPath(PODS, uuid);
}

export function appPath(uuid: string, app: string): string {
  return objectPath(APPS, appKey(uuid, app));
}

/** The name of an app among all apps. */
export function appKey(uuid: string, app: string): string {
  return `${uuid}/${app}`;
}

export function imagePath(id: string): string {
  return objectPath(IMAGES, id);
}

export function operationPath(id: string): string {
  return objectPath(OPERATIONS, id);
}
