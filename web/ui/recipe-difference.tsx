import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { PendingApproval, RecipeChange } from "#api";
import { recipeDifferenceMessages } from "../messages/recipe-difference.ts";
import { shortDigest } from "../models/format.ts";
import { queries } from "../services/queries.ts";
import { useLanguage } from "./language.tsx";
import { Read } from "./page.tsx";
import "./notebook.css";

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** What a decision is about, part by part, since what was agreed to before; it is read when somebody looks. */
export function WhatDiffers({ approval }: { readonly approval: PendingApproval }) {
  const { language } = useLanguage();
  const [isOpen, setOpen] = useState(false);
  const after = approval.subjectKind === "recipe" ? approval.digest : approval.version?.toString();
  if (approval.asset === undefined || after === undefined) return null;
  return (
    <details className="approval-differs" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{recipeDifferenceMessages[language].open}</summary>
      {isOpen && <Changes asset={approval.asset} after={after} environment={approval.environment} />}
    </details>
  );
}

function Changes(props: { readonly asset: string; readonly after: string; readonly environment: string }) {
  const { language } = useLanguage();
  const texts = recipeDifferenceMessages[language];
  const { asset, after, environment } = props;
  const result = useQuery(queries.recipeDifference(asset, { after, environment }));
  return (
    <Read result={result}>
      {({ before, changes }) => {
        const heading = before === undefined ? texts.first : before.label === "live" ? texts.sinceLive : texts.since;
        return (
          <>
            <p className="muted">{heading.replace("{environment}", () => environment)}</p>
            {changes.length === 0 && <p>{texts.nothing}</p>}
            {changes.map((change) => (
              <Change key={`${change.step} ${change.part} ${change.name}`} change={change} />
            ))}
          </>
        );
      }}
    </Read>
  );
}

function Change({ change: { step, part, name, before, after, lines } }: { readonly change: RecipeChange }) {
  const { language } = useLanguage();
  const texts = recipeDifferenceMessages[language];
  const title = `${step}: ${texts[part]}${name === part ? "" : ` ${name}`}`;
  if (lines !== undefined)
    return (
      <section>
        <p>{title}</p>
        {/* A long line is read with the arrow keys. */}
        {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable */}
        <pre className="diff" tabIndex={0} aria-label={title}>
          {lines.split("\n").map((line, index) => (
            // oxlint-disable-next-line react/no-array-index-key -- lines have no other name
            <span key={index} className={`diff-${kindOf(line)}`}>
              {`${line}\n`}
            </span>
          ))}
        </pre>
      </section>
    );
  return (
    <section>
      <p>{title}</p>
      <table className="key-table">
        <tbody>
          <tr>
            <th scope="row">{texts.before}</th>
            <td className="wrap mono">{shown(before)}</td>
          </tr>
          <tr>
            <th scope="row">{texts.after}</th>
            <td className="wrap mono">{shown(after)}</td>
          </tr>
        </tbody>
      </table>
    </section>
  );
}

function kindOf(line: string): "added" | "removed" | "same" {
  return line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : "same";
}

function shown(text: string | undefined): string {
  return text === undefined ? "–" : DIGEST.test(text) ? shortDigest(text) : text;
}
