import type { ProjectConfig, Settings } from "#config";
import { describeResources } from "#pipeline";
import { createSlurm } from "../parts.ts";
import { failed, type Finding, ok } from "./finding.ts";

/** Whether each executor beyond this machine answers; what its machines see is found out by a trial. */
export async function checkExecutors(config: ProjectConfig, settings: Settings): Promise<readonly Finding[]> {
  const findings = Object.entries(config.executors).map(async ([name, declared]): Promise<readonly Finding[]> => {
    if (!("slurm" in declared)) return [];
    try {
      const offer = await createSlurm(name, declared.slurm, { config, settings, writable: [] }).offer();
      return [ok(`executor ${name}`, `Slurm answers; one step gets at most ${describeResources(offer)}`)];
    } catch (error) {
      return [failed(`executor ${name}`, error)];
    }
  });
  return (await Promise.all(findings)).flat();
}
