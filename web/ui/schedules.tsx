import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import type { PipelineDetail, SensorState } from "#api";
import { message } from "../messages/messages.ts";
import { scheduleMessages } from "../messages/schedules.ts";
import { address } from "../routes/address.ts";
import { commands } from "../services/commands.ts";
import { queries } from "../services/queries.ts";
import { CommandButton } from "./command-button.tsx";
import { useLanguage } from "./language.tsx";
import { Panel } from "./page.tsx";
import { useProblemText } from "./problem-text.ts";
import { type Column, DataTable } from "./table.tsx";
import { Ago } from "./text.tsx";

function useWords() {
  const { language } = useLanguage();
  return (key: keyof (typeof scheduleMessages)["en"], params: Readonly<Record<string, string>> = {}) =>
    message({ language, messages: scheduleMessages[language] }, key, params);
}

const BY_ITSELF: readonly string[] = ["schedule", "sensor"];

/** Stops and lets go on what starts a pipeline by time or by a look outside. */
export function PauseButton({ pipeline }: { readonly pipeline: PipelineDetail }) {
  const say = useWords();
  if (pipeline.paused === undefined && !pipeline.triggers.some(({ on }) => BY_ITSELF.includes(on))) return null;
  return pipeline.paused === undefined ? (
    <CommandButton
      label={say("pause")}
      icon="clock"
      action="run"
      run={() => commands.pausePipeline(pipeline.name)}
      done={say("pausedDone")}
      confirm={{ title: say("pauseTitle"), content: <p>{say("pauseText")}</p> }}
    />
  ) : (
    <CommandButton
      label={say("resume")}
      icon="play"
      action="run"
      run={() => commands.unpausePipeline(pipeline.name)}
      done={say("resumed")}
    />
  );
}

/** That a pipeline is paused, by whom and why. */
export function PausedNote({ pipeline: { paused } }: { readonly pipeline: PipelineDetail }) {
  const say = useWords();
  if (paused === undefined) return null;
  return (
    <span className="chip">
      {say("paused", { actor: paused.actor })}
      {paused.reason === undefined ? "" : `: ${paused.reason}`} <Ago atMs={paused.pausedAtMs} />
    </span>
  );
}

/** The sensors of a pipeline, what each saw last, and what keeps it from looking. */
export function SensorsPanel({ pipeline }: { readonly pipeline: PipelineDetail }) {
  const say = useWords();
  const { format } = useLanguage();
  const hasSensors = pipeline.triggers.some(({ on }) => on === "sensor");
  const schedules = useQuery({ ...queries.schedules(), enabled: hasSensors });
  const sensors = schedules.data?.pipelines.find((each) => each.pipeline === pipeline.name)?.sensors ?? [];
  if (!hasSensors || sensors.length === 0) return null;
  const columns: readonly Column<SensorState>[] = [
    { key: "subject", title: say("looksAt"), width: "minmax(220px, 2fr)", cell: ({ subject }) => subject },
    { key: "every", title: say("every"), width: "110px", cell: ({ everyMs }) => format.duration(everyMs) },
    { key: "look", title: say("lastLook"), width: "140px", cell: ({ checkedAtMs }) => <Ago atMs={checkedAtMs} /> },
    {
      key: "event",
      title: say("lastEvent"),
      width: "150px",
      cell: ({ firedAtMs, pipelineRunId }) =>
        pipelineRunId === undefined ? (
          <span className="muted">{say("notYet")}</span>
        ) : (
          <Link to={address.run(pipelineRunId)}>
            <Ago atMs={firedAtMs} />
          </Link>
        ),
    },
    { key: "runs", title: say("runs"), width: "140px", cell: ({ fireCount }) => fireCount },
    { key: "state", title: say("state"), width: "minmax(180px, 2fr)", cell: (sensor) => <State sensor={sensor} /> },
  ];
  return (
    <Panel title={say("title")} icon="clock" flush>
      <DataTable
        label={say("title")}
        rows={sensors}
        columns={columns}
        rowKey={({ subject }) => subject}
        rowHeight={54}
      />
    </Panel>
  );
}

function State({ sensor: { problem } }: { readonly sensor: SensorState }) {
  const say = useWords();
  const { message: told } = useProblemText(problem);
  return problem === undefined ? <span>{say("well")}</span> : <span className="tone-bad">{told}</span>;
}
