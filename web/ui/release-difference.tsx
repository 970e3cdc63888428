import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Release, ReleaseDifference } from "#api";
import { releaseDifferenceMessages } from "../messages/release-difference.ts";
import { shortDigest } from "../models/format.ts";
import { releaseChanges } from "../models/release-changes.ts";
import { queries } from "../services/queries.ts";
import { useLanguage } from "./language.tsx";
import { Modal } from "./overlay.tsx";
import { Read } from "./page.tsx";
import { ReleaseChanges } from "./release-changes.tsx";

type SideRow = readonly [name: string, before: string | undefined, after: string | undefined];

/** A way to see what differs within, from the release that this one replaced; it is read when somebody looks. */
export function DifferenceButton({ release }: { readonly release: Release }) {
  const { t, language } = useLanguage();
  const [isOpen, setOpen] = useState(false);
  const texts = releaseDifferenceMessages[language];
  const { id, replaces, asset, environment } = release;
  if (replaces === undefined) return null;
  return (
    <>
      <button type="button" className="link-button" onClick={() => setOpen(true)}>
        {texts.open}
      </button>
      <Modal
        opened={isOpen}
        onClose={() => setOpen(false)}
        size="lg"
        title={texts.title.replace("{asset}", () => asset).replace("{environment}", () => environment)}
        closeButtonProps={{ "aria-label": t("shell.close") }}
      >
        <Differences from={replaces} to={id} />
      </Modal>
    </>
  );
}

function Differences({ from, to }: { readonly from: string; readonly to: string }) {
  const { language } = useLanguage();
  const texts = releaseDifferenceMessages[language];
  const result = useQuery(queries.releaseComparison(from, to));
  return (
    <Read result={result}>
      {({ differences, settings }) => (
        <div className="form">
          <ReleaseChanges
            changes={releaseChanges(
              differences.flatMap(({ before }) => before),
              differences.flatMap(({ after }) => after),
            )}
          />
          {differences.map((difference) => (
            <Inside key={difference.asset} difference={difference} />
          ))}
          <SideTable
            title={texts.setting}
            rows={settings.map(({ asset, key, before, after }): SideRow => [`${asset} ${key}`, before, after])}
          />
          {differences.length + settings.length === 0 && <p className="muted">{texts.nothing}</p>}
        </div>
      )}
    </Read>
  );
}

/** What differs between two versions of code or of a model. */
function Inside({ difference: { inside } }: { readonly difference: ReleaseDifference }) {
  const { language, format } = useLanguage();
  const texts = releaseDifferenceMessages[language];
  if (inside === undefined) return null;
  const { commit, sources = [], sourceCount = 0, files, fileCount, metrics, recipe = [] } = inside;
  const number = (value: number | undefined): string | undefined =>
    value === undefined ? undefined : format.number(value, 6);
  return (
    <>
      {commit !== undefined && (
        <p className="mono">
          {texts.commit} {shortDigest(commit.before ?? "–")} → {shortDigest(commit.after ?? "–")}
        </p>
      )}
      <PathList title={texts.sources} paths={sources} count={sourceCount} />
      <PathList
        title={texts.files}
        paths={files.map(({ path, change }) => `${path} (${texts[change]})`)}
        count={fileCount}
      />
      <SideTable
        title={texts.metric}
        rows={metrics.map(({ name, before, after }): SideRow => [name, number(before), number(after)])}
      />
      <SideTable
        title={texts.recipe}
        rows={recipe.map(({ step, part, name, before, after }): SideRow => [`${step} ${part} ${name}`, before, after])}
      />
    </>
  );
}

function PathList(props: { readonly title: string; readonly paths: readonly string[]; readonly count: number }) {
  const { language, format } = useLanguage();
  const { title, paths, count } = props;
  if (paths.length === 0) return null;
  return (
    <details open={paths.length <= 20}>
      <summary>
        {title} ({format.number(count)})
      </summary>
      <ul className="mono wrap">
        {paths.map((path) => (
          <li key={path}>{path}</li>
        ))}
      </ul>
      {count > paths.length && (
        <p className="muted">
          {releaseDifferenceMessages[language].more.replace("{count}", format.number(count - paths.length))}
        </p>
      )}
    </details>
  );
}

function SideTable({ title, rows }: { readonly title: string; readonly rows: readonly SideRow[] }) {
  const { language } = useLanguage();
  const texts = releaseDifferenceMessages[language];
  if (rows.length === 0) return null;
  return (
    <table className="key-table">
      <thead>
        <tr>
          <th scope="col">{title}</th>
          <td>{texts.before}</td>
          <td>{texts.after}</td>
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, before, after]) => (
          <tr key={`${name} ${before} ${after}`}>
            <th scope="row">{name}</th>
            <td className="wrap">{before ?? "–"}</td>
            <td className="wrap">{after ?? "–"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
