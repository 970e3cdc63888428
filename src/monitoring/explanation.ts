import { type AlertExplanation, alertExplanationSchema } from "#api";

const VERSION = 1;

/** An explanation as it is stored with its alert. */
export function formatExplanation(explanation: AlertExplanation): string {
  return JSON.stringify({ version: VERSION, ...explanation });
}

/** What was stored; undefined for alerts without one, and for a form of a later version. Pure. */
export function readExplanation(text: string | undefined): AlertExplanation | undefined {
  if (text === undefined) return undefined;
  const { data } = alertExplanationSchema.safeParse(JSON.parse(text));
  return data;
}
