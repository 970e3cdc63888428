import { usageWrong } from "../../errors.ts";
import type { CliSession } from "../../session.ts";

/** Id of the newest pipeline run. */
export async function latestRun({ call }: CliSession, usage: string): Promise<string> {
  const { items } = await call("listPipelineRuns", { query: { limit: 1 } });
  const [newest] = items;
  if (newest === undefined) throw usageWrong({ usage, reason: "Nothing has run yet" });
  return newest.id;
}
