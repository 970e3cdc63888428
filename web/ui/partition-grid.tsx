import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type GridCell, idAt } from "../models/state-grid.ts";
import { address } from "../routes/address.ts";
import { commands } from "../services/commands.ts";
import { queries } from "../services/queries.ts";
import { Panel, Read } from "./page.tsx";
import { StateGridView, useGridWords } from "./state-grid.tsx";

const LOOK_EVERY_MS = 5000;

/** The partitions of a pipeline, by what each step came to in the newest run. */
export default function PartitionGrid({ pipeline }: { readonly pipeline: string }) {
  const { say } = useGridWords();
  const navigate = useNavigate();
  const grid = useQuery({ ...queries.partitionGrid(pipeline), refetchInterval: LOOK_EVERY_MS });
  return (
    <Panel title={say("partitions")} icon="pipeline" flush>
      <Read result={grid}>
        {(data) => {
          const open = async ({ row, column }: GridCell): Promise<void> => {
            const run = idAt(data.pipelineRuns, column);
            if (run === undefined) return;
            const found = await commands.findStepRun(run, data.steps[row]?.step ?? "");
            await navigate({ to: found === undefined ? address.run(run) : address.stepRun(run, found) });
          };
          return (
            <StateGridView
              grid={data}
              label={say("partitions")}
              onOpen={(cell) => void open(cell)}
              retry={{
                label: say("retryPartitions"),
                run: (cells) =>
                  commands.makePartitions(pipeline, [
                    ...new Set(cells.flatMap(({ column }) => data.columns[column] ?? [])),
                  ]),
              }}
            />
          );
        }}
      </Read>
    </Panel>
  );
}
