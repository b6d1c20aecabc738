/** org.gantry1.Operation. */
import { type Collection, implement } from "../bus/objects.ts";
import type { PropertiesOf } from "../bus/table.ts";
import { OPERATION } from "../interface/operation.ts";
import type { Agent } from "./agent.ts";
import type { Operation } from "./operations.ts";
import { OPERATIONS } from "./paths.ts";

export type OperationEntity = { readonly agent: Agent; readonly operation: Operation };

export const operationFace = implement<typeof OPERATION, OperationEntity>(OPERATION, {
  methods: {
    Cancel: async ({ agent, operation }, _, { sender }) => ({
      demand:
        (await agent.uidOf(sender)) === operation.owner
          ? undefined
          : { details: { verb: "cancel", operation: operation.kind, target: operation.target } },
      run: () => {
        agent.operations.cancel(operation.id);
        return undefined;
      },
    }),
  },
  properties: ({ operation }) => operationProperties(operation),
});

export function operationCollection(agent: Agent): Collection<OperationEntity> {
  const list = async () =>
    new Map(agent.operations.list().map((operation) => [operation.id, { agent, operation }]));
  return { prefix: OPERATIONS, faces: [operationFace], find: async (id) => (await list()).get(id), list };
}

export function operationProperties(operation: Operation): PropertiesOf<typeof OPERATION> {
  const { id, kind, target, owner, phase, progress, result, error, started, ended } = operation;
  return {
    ...{ Id: id, Kind: kind, Target: target, Owner: owner, Phase: phase, Progress: progress },
    ...{ Result: result, Error: [error.name, error.text], Started: started, Ended: ended },
  };
}
