import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { previewKind } from "../../models/tracking/artifact-preview.ts";
import { downloadArtifact } from "../../services/artifact-file.ts";
import { type ArtifactEntry, trackingQueries } from "../../services/tracking-queries.ts";
import { Icon } from "../icon.tsx";
import { Empty, Panel, Problem, Read } from "../page.tsx";
import { useSearchValue } from "../search-value.ts";
import { ArtifactPreview } from "./artifact-preview.tsx";
import { LoggedModelCard } from "./logged-model-card.tsx";
import { useTrackingText } from "./text.ts";

/** What a run wrote, as a tree, beside a look into the chosen file. */
export function Artifacts({ runId }: { readonly runId: string }) {
  const { t } = useTrackingText();
  const [chosen, choose] = useSearchValue("file");
  const root = useQuery(trackingQueries.artifacts(runId, ""));
  return (
    <Read result={root}>
      {(entries) =>
        entries.length === 0 ? (
          <Empty icon="file" title={t("artifacts.none.title")} text={t("artifacts.none.text")} />
        ) : (
          <div className="artifacts">
            <Panel title={t("artifacts.title")} icon="file">
              <nav className="artifact-tree" aria-label={t("artifacts.title")}>
                <Entries runId={runId} entries={entries} chosen={chosen} choose={choose} />
              </nav>
            </Panel>
            {chosen === undefined ? (
              <Empty icon="file" title={t("artifacts.choose")} text={t("artifacts.choose.text")} />
            ) : (
              <File key={chosen} runId={runId} path={chosen} />
            )}
          </div>
        )
      }
    </Read>
  );
}

interface EntriesProps {
  readonly runId: string;
  readonly entries: readonly ArtifactEntry[];
  readonly chosen: string | undefined;
  readonly choose: (path: string) => void;
}

function Entries({ entries, ...rest }: EntriesProps) {
  const sorted = entries.toSorted(
    (left, right) => Number(right.is_dir) - Number(left.is_dir) || left.path.localeCompare(right.path),
  );
  return (
    <ul>
      {sorted.map((entry) => (
        <li key={entry.path}>
          {entry.is_dir ? <Folder entry={entry} {...rest} /> : <FileButton entry={entry} {...rest} />}
        </li>
      ))}
    </ul>
  );
}

interface EntryProps extends Omit<EntriesProps, "entries"> {
  readonly entry: ArtifactEntry;
}

function Folder({ entry, runId, chosen, choose }: EntryProps) {
  const [isOpen, setOpen] = useState(chosen?.startsWith(`${entry.path}/`) === true);
  const inside = useQuery({ ...trackingQueries.artifacts(runId, entry.path), enabled: isOpen });
  return (
    <>
      <button type="button" aria-expanded={isOpen} className={isOpen ? "is-open" : ""} onClick={() => setOpen(!isOpen)}>
        <Icon name="chevron" size={12} />
        <span className="clip">{nameOf(entry.path)}</span>
      </button>
      {isOpen && inside.error !== null && <Problem error={inside.error} />}
      {isOpen && inside.data !== undefined && (
        <Entries runId={runId} entries={inside.data} chosen={chosen} choose={choose} />
      )}
    </>
  );
}

function FileButton({ entry, chosen, choose }: EntryProps) {
  const { format } = useTrackingText();
  return (
    <button type="button" aria-current={chosen === entry.path} onClick={() => choose(entry.path)}>
      <Icon name={previewKind(entry.path) === "image" ? "dashboard" : "file"} size={13} />
      <span className="clip" title={entry.path}>
        {nameOf(entry.path)}
      </span>
      {entry.file_size !== undefined && <span className="artifact-size">{format.bytes(entry.file_size)}</span>}
    </button>
  );
}

function nameOf(path: string): string {
  return path.split("/").at(-1) ?? path;
}

function File({ runId, path }: { readonly runId: string; readonly path: string }) {
  const { t } = useTrackingText();
  const [error, setError] = useState<unknown>();
  return (
    <div>
      {nameOf(path) === "MLmodel" && <LoggedModelCard runId={runId} path={path} />}
      <Panel
        title={path}
        icon="file"
        actions={
          <button type="button" className="plain-button" onClick={() => downloadArtifact(runId, path).catch(setError)}>
            {t("artifacts.download")}
          </button>
        }
      >
        {error !== undefined && <Problem error={error} />}
        <ArtifactPreview runId={runId} path={path} />
      </Panel>
    </div>
  );
}
