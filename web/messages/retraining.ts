type Key =
  | "title"
  | "atMost"
  | "budget"
  | "params"
  | "per"
  | "now"
  | "next"
  | "may"
  | "waiting"
  | "at"
  | "askedBy"
  | "decided"
  | "running"
  | "nothing_new"
  | "at_most"
  | "overBudget"
  | "started"
  | "made"
  | "reused"
  | "waited"
  | "skipped"
  | "alerts_closed"
  | "trained";

/** Messages of policies for training again: they come with the page of a pipeline, not with the start. */
export const retrainingMessages: Readonly<Record<"en" | "pt-BR", Readonly<Record<Key, string>>>> = {
  en: {
    title: "Training again",
    atMost: "At most",
    budget: "Budget",
    params: "Params",
    per: "{used} of {amount} per {period}",
    now: "Now",
    next: "Next may",
    may: "It may train when something asks for it",
    waiting: "{cause} waits",
    at: "When",
    askedBy: "Asked by",
    decided: "Decided",
    running: "A run is under way",
    nothing_new: "Nothing new since {versions}",
    at_most: "As many runs as it may until {at}",
    overBudget: "The budget is spent until {at}",
    started: "Trained again",
    made: "made {model}",
    reused: "{model} stayed as it is",
    waited: "Waits: {reasons}",
    skipped: "Skipped: {reasons}",
    alerts_closed: "Given up: its alerts are closed",
    trained: "Given up: somebody trained since",
  },
  "pt-BR": {
    title: "Treinar de novo",
    atMost: "No máximo",
    budget: "Orçamento",
    params: "Parâmetros",
    per: "{used} de {amount} a cada {period}",
    now: "Agora",
    next: "A próxima pode vir",
    may: "Pode treinar quando algo pedir",
    waiting: "{cause} espera",
    at: "Quando",
    askedBy: "Pedido por",
    decided: "Decisão",
    running: "Há uma execução em andamento",
    nothing_new: "Nada de novo desde {versions}",
    at_most: "Tantas execuções quanto pode até {at}",
    overBudget: "O orçamento está gasto até {at}",
    started: "Treinou de novo",
    made: "fez {model}",
    reused: "{model} ficou como está",
    waited: "Espera: {reasons}",
    skipped: "Pulado: {reasons}",
    alerts_closed: "Desistiu: seus alertas fecharam",
    trained: "Desistiu: alguém treinou desde então",
  },
};
