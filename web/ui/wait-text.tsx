import { Link } from "@tanstack/react-router";
import type { WaitReason, WorkHolder } from "#api";
import { message } from "../messages/messages.ts";
import { queueMessages } from "../messages/queue.ts";
import { address } from "../routes/address.ts";
import { useLanguage } from "./language.tsx";

/** Words of the queue in the language of the page. */
export function useQueueWords() {
  const { language } = useLanguage();
  return (key: keyof (typeof queueMessages)["en"], params: Readonly<Record<string, string | number>> = {}) =>
    message({ language, messages: queueMessages[language] }, key, params);
}

/** Why queued work has not begun, and who holds what it waits for. */
export function WaitText({ reason }: { readonly reason: WaitReason }) {
  const { format } = useLanguage();
  const say = useQueueWords();
  const { kind, name = "", limit = 0, used = 0, needs = 1, untilMs, holders } = reason;
  const time = untilMs === undefined ? "" : format.moment(untilMs);
  return (
    <span>
      {say(`wait.${kind}`, { name, limit, used, needs, time })}
      {holders.length > 0 && (
        <>
          {" · "}
          <Holders holders={holders.slice(0, 3)} />
        </>
      )}
    </span>
  );
}

/** Who holds something, each with the way to it. */
export function Holders({ holders }: { readonly holders: readonly WorkHolder[] }) {
  return holders.map(({ pipelineRunId, stepRunId, pipeline, step, matrix, slots = 1 }, index) => (
    <span key={stepRunId ?? pipelineRunId}>
      {index > 0 && ", "}
      <Link to={stepRunId === undefined ? address.run(pipelineRunId) : address.stepRun(pipelineRunId, stepRunId)}>
        {step === undefined ? pipeline : `${pipeline}.${step}`}
        {matrix === undefined ? "" : ` (${matrix})`}
      </Link>
      {slots > 1 && ` ×${slots}`}
    </span>
  ));
}
