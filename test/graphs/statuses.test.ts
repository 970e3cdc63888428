import assert from "node:assert/strict";
import { it } from "node:test";
import { z } from "zod";
import { getPipelineRun } from "#engine";
import type { StepKind, StepOutcome } from "#pipeline";
import { createTestProject } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

/** Graphs by name: each step with what it needs. */
const SHAPES: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  single: { a: [] },
  chain: { a: [], b: ["a"], c: ["b"], d: ["c"] },
  diamond: { a: [], b: ["a"], c: ["a"], d: ["b", "c"] },
  fan: { a: [], b: ["a"], c: ["a"], d: ["a"], e: ["a"] },
  join: { b: [], c: [], d: [], a: ["b", "c", "d"] },
  islands: { a: [], b: ["a"], c: [], d: ["c"] },
  ladder: { a: [], b: [], c: ["a", "b"], d: ["a", "b"], e: ["c", "d"], f: ["c"] },
};

const BEHAVIOURS = ["ok", "fail", "block", "skip"] as const;
type Behaviour = (typeof BEHAVIOURS)[number];

const beKind: StepKind<{ be: Behaviour }> = {
  name: "be",
  load: "code",
  schema: z.strictObject({ be: z.enum(BEHAVIOURS) }),
  describe: ({ be }) => be,
  analyse: () => Promise.resolve({ inputs: [], makes: [], files: [], cacheable: false, problems: [] }),
  execute({ declaration }): Promise<StepOutcome> {
    if (declaration.be === "fail") return Promise.reject(new Error("it had to fail"));
    return Promise.resolve({
      status: "succeeded",
      made: [],
      ...(declaration.be === "block" ? { blocks: { reason: "refused" } } : {}),
    });
  },
};

/** What must come out, worked out from the graph alone. */
function expectedStatuses(
  needs: Readonly<Record<string, readonly string[]>>,
  special: string,
  behaviour: Behaviour,
): Record<string, string> {
  const own = { ok: "succeeded", fail: "failed", block: "succeeded", skip: "skipped" }[behaviour];
  const statuses: Record<string, string> = {};
  const statusOf = (step: string): string =>
    (statuses[step] ??= step === special ? own : (needs[step] ?? []).some(stops) ? "skipped" : "succeeded");
  const stops = (step: string): boolean =>
    statusOf(step) !== "succeeded" || (step === special && behaviour === "block");
  for (const step of Object.keys(needs)) statusOf(step);
  // The special step itself runs only when nothing before it stops it, which is so here: there is one special step.
  return { run: Object.values(statuses).includes("failed") ? "failed" : "succeeded", ...statuses };
}

function yaml(needs: Readonly<Record<string, readonly string[]>>, special: string, behaviour: Behaviour): string {
  const steps = Object.entries(needs).map(([step, of]) => {
    const be = step === special ? behaviour : "ok";
    return `  ${step}: { be: ${be}, needs: [${of.join(", ")}]${be === "skip" ? ", when: 1 == 2" : ""} }`;
  });
  return `steps:\n${steps.join("\n")}\n`;
}

/**
 * Beside every step one that always follows it, one that follows its failure, and one behind that; and two steps in
 * finally.
 */
function conditionalYaml(
  needs: Readonly<Record<string, readonly string[]>>,
  special: string,
  behaviour: Behaviour,
): string {
  const beside = Object.keys(needs).map(
    (step) =>
      `  ${step}_always: { be: ok, needs: ${step}, when: always() }\n  ${step}_failure: { be: ok, needs: ${step}, when: failure() }\n  ${step}_behind: { be: ok, needs: ${step}_failure }`,
  );
  return `${yaml(needs, special, behaviour)}${beside.join("\n")}\nfinally:\n  end: { be: ok }\n  end_failed: { be: ok, when: "\${{ failure() && steps.${special}.status == 'failed' }}" }\n`;
}

function expectedOfConditions(
  needs: Readonly<Record<string, readonly string[]>>,
  special: string,
  behaviour: Behaviour,
): Record<string, string> {
  const statuses = expectedStatuses(needs, special, behaviour);
  const hasFailure = (step: string): boolean => statuses[step] === "failed" || (needs[step] ?? []).some(hasFailure);
  for (const step of Object.keys(needs)) {
    statuses[`${step}_always`] = "succeeded";
    statuses[`${step}_failure`] = statuses[`${step}_behind`] = hasFailure(step) ? "succeeded" : "skipped";
  }
  return { ...statuses, end: "succeeded", end_failed: behaviour === "fail" ? "succeeded" : "skipped" };
}

describeStores("graphs of every shape", (kind) => {
  for (const [shape, needs] of Object.entries(SHAPES)) {
    for (const [title, write, expected] of [
      [
        `end as their edges say when one step of a ${shape} succeeds, fails, refuses or is skipped`,
        yaml,
        expectedStatuses,
      ],
      [
        `run what stands after a failure, and what stands in finally, when one step of a ${shape} succeeds, fails, refuses or is skipped`,
        conditionalYaml,
        expectedOfConditions,
      ],
    ] as const)
      it(title, { timeout: 120_000 }, async () => {
        const steps = kind === "sqlite" ? Object.keys(needs) : Object.keys(needs).slice(0, 1);
        const cases = steps.flatMap((special) =>
          BEHAVIOURS.map((behaviour) => ({ special, behaviour, name: `${special}_${behaviour}` })),
        );
        const files = Object.fromEntries(
          cases.map(({ name, special, behaviour }) => [`pipelines/${name}.yaml`, write(needs, special, behaviour)]),
        );
        const project = await createTestProject(kind, files, [beKind as StepKind<never>]);
        await project.register();
        const engine = project.engine();
        await Promise.all(
          cases.map(async ({ name, special, behaviour }) => {
            const id = await engine.submit({ pipeline: name, actor: "ana" });
            await engine.runToEnd(id);
            const { run, stepRuns } = await getPipelineRun(project.store, id);
            const statuses = {
              run: run.status,
              ...Object.fromEntries(stepRuns.map((step) => [step.step, step.status])),
            };
            assert.deepEqual(statuses, expected(needs, special, behaviour), name);
          }),
        );
      });
  }
});
