import type { Problem } from "../step-kind.ts";
import type { StepKeys } from "./keys.ts";
import { nearestHint } from "./schema-problems.ts";

/** Slots of each pool of a project, by its name. */
export type Pools = Readonly<Record<string, { readonly slots: number }>>;

/** A pool that there is, and no more of its slots than it has. */
export function poolProblems({ pool, slots }: StepKeys, pools: Pools): readonly Problem[] {
  if (pool === undefined)
    return slots === undefined
      ? []
      : [{ path: ["slots"], message: "slots are those of a pool, and the step names none", hint: "Add pool: NAME." }];
  const names = Object.keys(pools);
  const declared = Object.hasOwn(pools, pool) ? pools[pool] : undefined;
  if (declared === undefined)
    return [
      {
        path: ["pool"],
        message: `there is no pool "${pool}"`,
        hint:
          names.length === 0
            ? `Declare it in esteira.yaml: pools: { ${/^[A-Za-z_][\w.-]*$/.test(pool) ? pool : "NAME"}: 2 }.`
            : nearestHint(pool, names, "Pools of esteira.yaml"),
      },
    ];
  return (slots ?? 1) <= declared.slots
    ? []
    : [
        {
          path: ["slots"],
          message: `the step asks for ${slots} slots, and pool "${pool}" has ${declared.slots}`,
          hint: "It could never begin: ask for fewer, or give the pool more in esteira.yaml.",
        },
      ];
}
