import { isEsteiraError, messageOf } from "#base";
import { describeResources, hasRoomFor, type Resources, type StepDefinition, type StepKind } from "#pipeline";
import type { EngineParts } from "./engine-parts.ts";
import type { Executor } from "./executor.ts";
import { executorUnknown, resourcesMissing } from "./errors.ts";

interface Placing {
  readonly executors: EngineParts["executors"];
  readonly ports: Pick<EngineParts["ports"], "defaultExecutor">;
}

/**
 * Where the processes of a step run: where it says, else where the project says, else here. Steps of kinds that need
 * this machine stay on it.
 *
 * @throws PIPELINE_EXECUTOR_UNKNOWN when the project no longer has it
 */
export function executorOf(
  { executors, ports }: Placing,
  step: Pick<StepDefinition, "name" | "executor">,
  kind: Pick<StepKind<never>, "travels">,
): Executor {
  const [local] = executors;
  const name = step.executor ?? ports.defaultExecutor ?? local.name;
  const found = executors.find((one) => one.name === name);
  if (found === undefined)
    throw executorUnknown({ step: step.name, executor: name, executors: executors.map((one) => one.name) });
  return found.capabilities.remote && kind.travels !== true ? local : found;
}

/**
 * Says before anything is started that a step asks for more than there is, and who could give it.
 *
 * @throws PIPELINE_RESOURCES_MISSING; what the executor throws when it is away
 */
export async function assertRoom(
  { executors }: Pick<Placing, "executors">,
  asked: { readonly step: string; readonly resources: Resources | undefined; readonly executor: Executor },
): Promise<void> {
  const { step, resources, executor } = asked;
  if (resources === undefined) return;
  const offer = await executor.offer();
  if (hasRoomFor(offer, resources)) return;
  const others = executors.filter((one) => one !== executor);
  const able: string[] = [];
  const unable: string[] = [];
  for (const other of others) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- few, and only where a step cannot run
      const given = await other.offer();
      if (hasRoomFor(given, resources)) able.push(other.name);
      else unable.push(`${other.name} gives ${describeResources(given)}`);
    } catch (error) {
      unable.push(`${other.name} cannot be asked: ${isEsteiraError(error) ? error.message : messageOf(error)}`);
    }
  }
  throw resourcesMissing({
    step,
    asked: describeResources(resources),
    executor: executor.name,
    given: describeResources(offer),
    able,
    unable,
  });
}
