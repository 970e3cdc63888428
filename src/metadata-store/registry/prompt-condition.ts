import { PROMPT_TAG } from "./create-registered-model.ts";

interface Condition {
  readonly on: string;
  readonly key?: string;
  readonly comparator: string;
  readonly value: unknown;
}

function isOnPrompts({ on, key }: Condition): boolean {
  return on === "tag" && key === PROMPT_TAG;
}

/**
 * True when a search asks for prompts: its first condition on their tag says `= 'true'` or `!= 'false'`.
 * Any other search finds ordinary models only, which have no such tag. Source: MLflow's `_is_querying_prompt`.
 */
export function isQueryingPrompts(conditions: readonly Condition[]): boolean {
  const first = conditions.find(isOnPrompts);
  if (first === undefined || typeof first.value !== "string") return false;
  return (
    (first.comparator === "=" && first.value.toLowerCase() === "true") ||
    (first.comparator === "!=" && first.value.toLowerCase() === "false")
  );
}

/**
 * The conditions without those on the prompts' tag where ordinary models are searched: they could only say it again.
 */
export function promptsAside<Each extends Condition>(conditions: readonly Each[]): readonly Each[] {
  return isQueryingPrompts(conditions) ? conditions : conditions.filter((condition) => !isOnPrompts(condition));
}
