import { useQuery } from "@tanstack/react-query";
import type { PipelineRunDetail } from "#api";
import { isOver } from "../models/run.ts";
import { type GridCell, idAt, toSections } from "../models/state-grid.ts";
import { commands } from "../services/commands.ts";
import { queries } from "../services/queries.ts";
import { Panel, Read } from "./page.tsx";
import { StateGridView, useGridWords } from "./state-grid.tsx";

const LOOK_EVERY_MS = 3000;

/** The items of a pipeline run, by step; nothing where no step has several step runs. */
export default function RunGrid({
  run,
  onOpen,
}: {
  readonly run: PipelineRunDetail;
  readonly onOpen: (stepRun: string) => void;
}) {
  const { say } = useGridWords();
  const grid = useQuery({
    ...queries.runGrid(run.id, run.status),
    refetchInterval: isOver(run.status) ? false : LOOK_EVERY_MS,
  });
  if (grid.data !== undefined && toSections(grid.data).length === 0) return null;
  return (
    <Panel title={say("items")} icon="pipeline" flush>
      <Read result={grid}>
        {(data) => {
          const rows = data.steps.filter(({ states }) => states.length > 1);
          const idOf = ({ section, column }: GridCell): string | undefined => idAt(rows[section]?.ids ?? "", column);
          return (
            <StateGridView
              grid={data}
              label={say("items")}
              onOpen={(cell) => {
                const id = idOf(cell);
                if (id !== undefined) onOpen(id);
              }}
              retry={{
                label: say("retryItems"),
                run: (cells) =>
                  commands.retryStepRuns(
                    run.id,
                    cells.flatMap((cell) => idOf(cell) ?? []),
                  ),
              }}
            />
          );
        }}
      </Read>
    </Panel>
  );
}
