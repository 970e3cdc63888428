import type { StepDefinition } from "./definition.ts";
import { callsOf, type Expression, pathsOf } from "./expression.ts";
import { parseCondition } from "./interpolate.ts";
import type { Problem } from "../step-kind.ts";

/**
 * Who decides whether a step runs. 0: all that it waits for must have succeeded, and then its `when` is asked. Else its
 * condition alone, because it asks for the run's status or stands in `finally`: 1 also in a cancelled run, 2 not there.
 */
export function ownConditionOf(step: Pick<StepDefinition, "when" | "finally">): 0 | 1 | 2 {
  const condition = step.when === undefined ? undefined : parseCondition(step.when);
  const calls = condition === undefined ? [] : callsOf(condition);
  if (calls.length === 0) return step.finally === true ? 1 : 0;
  return calls.some(({ name, isNegated }) => (name === "success" ? isNegated : !isNegated)) ? 1 : 2;
}

/** A condition that can never hold: a step is skipped as soon as what it waits for did not succeed. */
export function neverHolds(condition: Expression, isFinal: boolean): Problem | undefined {
  if (isFinal || callsOf(condition).length > 0) return undefined;
  const wrong = comparisons(condition).find(({ status }) => status !== "succeeded");
  if (wrong === undefined) return undefined;
  return {
    path: ["when"],
    message: `steps.${wrong.step}.status is never '${wrong.status}' here: this step is skipped when "${wrong.step}" did not succeed`,
    hint: `Write always() && steps.${wrong.step}.status == '${wrong.status}'.`,
  };
}

const STATUSES: ReadonlySet<unknown> = new Set(["succeeded", "failed", "skipped", "cancelled"]);

/** A status that a step never has. */
export function unknownStatus(condition: Expression): Problem | undefined {
  const wrong = comparisons(condition).find(({ status }) => !STATUSES.has(status));
  return wrong === undefined
    ? undefined
    : {
        path: ["when"],
        message: `a step is never '${wrong.status}'`,
        hint: "Its status is succeeded, failed, skipped or cancelled.",
      };
}

function comparisons(expression: Expression): readonly { readonly step: string; readonly status: string }[] {
  if (expression.type === "not") return comparisons(expression.operand);
  if (expression.type !== "binary") return [];
  if (expression.operator !== "==") return [...comparisons(expression.left), ...comparisons(expression.right)];
  const [path] = [...pathsOf(expression.left), ...pathsOf(expression.right)];
  const literal = [expression.left, expression.right].find((side) => side.type === "literal");
  if (
    path?.[0] !== "steps" ||
    path[2] !== "status" ||
    path.length !== 3 ||
    literal?.type !== "literal" ||
    typeof literal.value !== "string"
  )
    return [];
  return [{ step: path[1] ?? "", status: literal.value }];
}
