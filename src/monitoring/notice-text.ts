import type { AlertAdvice, AlertExplanation } from "#api";
import type { Alert, AlertEvent } from "#metadata-store/monitoring";

/** What is told of an alert. */
export interface Told {
  readonly alert: Alert;
  readonly event: AlertEvent;
  readonly explanation: AlertExplanation | undefined;
  /** Page of the alert; undefined where the address of the page is not known. */
  readonly link: string | undefined;
  /** Default: English. */
  readonly language?: NoticeLanguage | undefined;
}

type Say = (advice: AlertAdvice) => string;
type Kinds = Readonly<Record<AlertAdvice["kind"], Say>>;

/** Languages in which receivers are told. */
export type NoticeLanguage = "en" | "pt-BR";

const ENGLISH: Kinds = {
  roll_back: ({ name, version }) => `Bring ${name ?? ""} version ${version ?? ""} back.`,
  look_at_run: ({ name, version, pipelineRunId }) =>
    `Look at what made ${name ?? ""} version ${version ?? ""}${pipelineRunId === undefined ? "" : ` (pipeline run ${pipelineRunId})`}.`,
  restore_dataset: ({ name, version }) => `Give ${name ?? ""} the content of version ${version ?? ""} again.`,
  ask_callers: () => "Ask those who call the endpoint: the values come with their requests.",
  look_at_segments: () => "Look at the worst rows first.",
  compare_performance: () => "Compare with the performance: inputs that moved do not say that answers are worse.",
  retrain: () => "Train again once the data of this time are in.",
  check_traffic: () => "See whether the callers reach the endpoint.",
  look_at_features: ({ name }) =>
    `See whether the source of the feature ${name} still gets rows, and which keys are asked for.`,
  look_at_online: ({ name }) =>
    `See what wrote the online values of the feature ${name}: its source has other ones for the same keys and moments.`,
  look_at_requests: () => "Look at what the endpoint answers and how long that takes, and at the server's log.",
  approve: ({ name }) => `Have ${name ?? "it"} approved again, or bring back what is.`,
  verify_store: () => "See what else is damaged: esteira verify.",
  restore_backup: () => "Bring the damaged files back from a backup, or make the version again.",
};

const PORTUGUESE: Kinds = {
  roll_back: ({ name, version }) => `Traga de volta ${name ?? ""} versão ${version ?? ""}.`,
  look_at_run: ({ name, version, pipelineRunId }) =>
    `Veja o que fez ${name ?? ""} versão ${version ?? ""}${pipelineRunId === undefined ? "" : ` (execução ${pipelineRunId})`}.`,
  restore_dataset: ({ name, version }) => `Devolva a ${name ?? ""} o conteúdo da versão ${version ?? ""}.`,
  ask_callers: () => "Pergunte a quem chama o endpoint: os valores vêm com as requisições.",
  look_at_segments: () => "Veja primeiro as piores linhas.",
  compare_performance: () => "Compare com o desempenho: entradas que mudaram não dizem que as respostas pioraram.",
  retrain: () => "Treine de novo quando os dados deste período chegarem.",
  check_traffic: () => "Veja se quem chama alcança o endpoint.",
  look_at_features: ({ name }) => `Veja se a fonte da feature ${name} ainda recebe linhas, e quais chaves são pedidas.`,
  look_at_online: ({ name }) =>
    `Veja o que gravou os valores online da feature ${name}: a fonte dela tem outros para as mesmas chaves e momentos.`,
  look_at_requests: () => "Veja o que o endpoint responde e quanto demora, e o log do servidor.",
  approve: ({ name }) => `Faça aprovar ${name ?? "isto"} de novo, ou traga de volta o que está aprovado.`,
  verify_store: () => "Veja o que mais está danificado: esteira verify.",
  restore_backup: () => "Traga os arquivos danificados de uma cópia de segurança, ou faça a versão de novo.",
};

interface Words {
  readonly open: string;
  readonly closed: string;
  readonly closedBecause: string;
  readonly byHand: string;
  readonly since: string;
  readonly columns: string;
  readonly worst: string;
  readonly changed: string;
  readonly advice: Kinds;
  /** Reasons for which alerts close by themselves. */
  readonly reasons: Readonly<Record<string, string>>;
}

const WORDS: Readonly<Record<NoticeLanguage, Words>> = {
  en: {
    open: "open",
    closed: "closed",
    closedBecause: "Closed",
    byHand: "by hand",
    since: "Since",
    columns: "Columns",
    worst: "Worst",
    changed: "Changed",
    advice: ENGLISH,
    reasons: {},
  },
  "pt-BR": {
    open: "aberto",
    closed: "fechado",
    closedBecause: "Fechado",
    byHand: "à mão",
    since: "Desde",
    columns: "Colunas",
    worst: "Piores",
    changed: "Mudou",
    advice: PORTUGUESE,
    reasons: {
      "another model version answers": "outra versão do modelo responde",
      "the value is back within its bounds": "o valor voltou aos seus limites",
      "the budget of errors no longer burns too fast": "o orçamento de erros já não queima rápido demais",
      "its approvals stand again": "suas aprovações valem de novo",
      "its files are whole again": "seus arquivos estão inteiros de novo",
    },
  },
};

function wordsOf({ language = "en" }: Told): Words {
  return WORDS[language];
}

/** One line: `[open] production/delay: delay.drift distance`. */
export function titleOf(told: Told): string {
  const { alert, event } = told;
  const of = [alert.subject, alert.segment].filter((part) => part !== "").join(", ");
  const place = [alert.environment, alert.endpoint].filter((part) => part !== "").join("/");
  const state = wordsOf(told)[event === "opened" ? "open" : "closed"];
  return `[${state}] ${place}: ${alert.monitor}${of === "" ? "" : ` ${of}`}`;
}

/** The lines below the title: what crossed what, since when, where, what changed, what to do. */
export function linesOf(told: Told): readonly string[] {
  const { alert, event, explanation, link } = told;
  const words = wordsOf(told);
  const lines = [alert.message];
  const { closeReason = words.byHand } = alert;
  if (event === "closed") lines.push(`${words.closedBecause}: ${words.reasons[closeReason] ?? closeReason}.`);
  else if (explanation !== undefined) lines.push(...explain(explanation, words));
  if (link !== undefined) lines.push(link);
  return lines;
}

function explain({ since, columns, segments, causes, advice }: AlertExplanation, words: Words): readonly string[] {
  const time = (atMs: number): string => `${new Date(atMs).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const lines = [`${words.since} ${time(since.atMs ?? since.windowStartMs)}.`];
  if (columns.length > 0) lines.push(`${words.columns}: ${columns.map(({ column }) => column).join(", ")}.`);
  if (segments.length > 0)
    lines.push(
      `${words.worst}: ${segments
        .slice(0, 5)
        .map(({ segment, value }) => `${segment} (${short(value)})`)
        .join(", ")}.`,
    );
  for (const { kind, name, fromVersion, toVersion, atMs, schema } of causes.slice(0, 3))
    lines.push(
      `${words.changed}: ${kind} ${name} ${fromVersion ?? "–"} → ${toVersion}, ${time(atMs)}${schema.length === 0 ? "" : ` (${schema.join(", ")})`}.`,
    );
  return [...lines, ...advice.map((each) => `→ ${words.advice[each.kind](each)}`)];
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}
