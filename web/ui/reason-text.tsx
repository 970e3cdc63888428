import type { CacheReason, StepRun } from "#api";
import { shortDigest } from "../models/format.ts";
import { useLanguage } from "./language.tsx";

/** One clause of why a step ran or did not, in the language of the page. */
export function ReasonText({ reason }: { readonly reason: CacheReason }) {
  const { t, name } = useLanguage();
  const short = (text: string | undefined): string =>
    text === undefined ? "" : text === "none" ? "–" : text.startsWith("sha256:") ? shortDigest(text) : text;
  const { part } = reason;
  if (name("why", part) === part)
    return <>{[part, reason.name, reason.before, reason.after].filter((each) => each !== undefined).join(" ")}</>;
  return (
    <>
      {t(`why.${part}` as "why.input", {
        name: reason.name ?? "",
        before: short(reason.before),
        after: short(reason.after),
      })}
    </>
  );
}

/** Why a step run did not start, on one line. */
export function StepReason({ stepRun }: { readonly stepRun: StepRun }) {
  if (stepRun.why === undefined) return <>{stepRun.reason ?? ""}</>;
  return (
    <>
      {stepRun.why.map((reason, index) => (
        <span key={index}>
          {index > 0 && "; "}
          <ReasonText reason={reason} />
        </span>
      ))}
    </>
  );
}
