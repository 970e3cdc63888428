import type { CliSession } from "../../session.ts";
import { usageWrong } from "../../errors.ts";

/** `production/delay`, or the name alone where one environment has it. @throws CLI_USAGE_WRONG */
export async function findEndpoint(
  { call }: Pick<CliSession, "call">,
  name: string,
  usage: string,
): Promise<{ readonly environment: string; readonly name: string }> {
  const [, environment, endpoint] = /^([^/]+)\/([^/]+)$/.exec(name) ?? [];
  if (environment !== undefined && endpoint !== undefined) return { environment, name: endpoint };
  const { items } = await call("listEndpoints", { query: { limit: 1000 } });
  const found = items.filter((one) => one.name === name);
  const [first, second] = found;
  if (first !== undefined && second === undefined) return { environment: first.environment, name };
  const known = (found.length > 0 ? found : items).map((one) => `${one.environment}/${one.name}`).join(", ");
  const reason = found.length > 0 ? `"${name}" answers in several environments` : `there is no endpoint "${name}"`;
  throw usageWrong({ usage, reason: `${reason}; endpoints: ${known === "" ? "none" : known}` });
}
