/** What the bus is told when pods, images and operations come, change and go. */
import type { Emitter } from "../bus/service.ts";
import { MANAGER } from "../interface/manager.ts";
import { OPERATION } from "../interface/operation.ts";
import { ROOT_PATH } from "../interface/tables.ts";
import type { ChangesOptions, Sighting } from "./changes.ts";
import { operationFace, operationProperties } from "./operation.ts";
import type { Listeners, Operation } from "./operations.ts";
import { IMAGES, operationPath, PODS } from "./paths.ts";

type OnFailure = (what: string, error: unknown) => void;

type Life = {
  onFailure: OnFailure;
  onBegin(): void;
  onEnd(): void;
  onForgotten(): void;
};

export function announceOperations(emitter: Emitter, life: Life): Listeners {
  const faces = [operationFace];
  return {
    onNew: (operation) => {
      const path = operationPath(operation.id);
      emitter.emit(ROOT_PATH, [MANAGER, "OperationNew"], [operation.id, path]);
      emitter.emitAdded(path, faces, { operation });
      life.onBegin();
    },
    onChanged: (operation, changed) => {
      emitter.emitChanged(operationPath(operation.id), operationFace, changedProperties(operation, changed));
    },
    onLog: ({ id }, line, priority) =>
      emitter.emit(operationPath(id), [OPERATION, "LogMessage"], [priority, line]),
    onEvent: ({ id }, json) => emitter.emit(operationPath(id), [OPERATION, "Event"], [json]),
    onFailure: (error, operation) => life.onFailure(`operation ${operation.kind}`, error),
    onEnded: ({ id, phase }) => {
      emitter.emit(ROOT_PATH, [MANAGER, "OperationRemoved"], [id, operationPath(id), phase]);
      life.onEnd();
    },
    onForgotten: ({ id }) => {
      emitter.emitRemoved(operationPath(id), faces);
      life.onForgotten();
    },
  };
}

/** `changed` names keys of an operation; the bus calls them by their properties' names. */
function changedProperties(operation: Operation, changed: Partial<Operation>): Record<string, unknown> {
  const names = new Set(Object.keys(changed).map((key) => `${key[0]?.toUpperCase()}${key.slice(1)}`));
  const values = Object.entries(operationProperties(operation));
  return Object.fromEntries(values.filter(([name]) => names.has(name)));
}

type Announcements = Pick<ChangesOptions, "onNew" | "onRemoved" | "onChanged" | "onFailure">;

export function announceChanges(emitter: Emitter, onFailure: OnFailure): Announcements {
  return {
    onNew: ({ path, prefix, name, faces, entity }) => {
      if (prefix === PODS) emitter.emit(ROOT_PATH, [MANAGER, "PodNew"], [name, path]);
      if (prefix === IMAGES) emitter.emit(ROOT_PATH, [MANAGER, "ImageNew"], [name, path]);
      emitter.emitAdded(path, faces, entity);
    },
    onRemoved: ({ path, prefix, name, faces }: Sighting) => {
      if (prefix === PODS) emitter.emit(ROOT_PATH, [MANAGER, "PodRemoved"], [name, path]);
      if (prefix === IMAGES) emitter.emit(ROOT_PATH, [MANAGER, "ImageRemoved"], [name, path]);
      emitter.emitRemoved(path, faces);
    },
    onChanged: (path, face, values) => emitter.emitChanged(path, face, values),
    onFailure: (error) => onFailure("looking for changes", error),
  };
}
