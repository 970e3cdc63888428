type Key =
  | "items"
  | "partitions"
  | "help"
  | "filter"
  | "all"
  | "missing"
  | "cell"
  | "item"
  | "byStep"
  | "step"
  | "chosen"
  | "choose"
  | "clear"
  | "retryItems"
  | "retryPartitions"
  | "retrying";

/** Messages of grids: they come with what shows them, not with the start. */
export const gridMessages: Readonly<Record<"en" | "pt-BR", Readonly<Record<Key, string>>>> = {
  en: {
    items: "Items",
    partitions: "Partitions",
    help: "Arrow keys move, Enter opens, Space chooses; with a state, left and right go to the next of it. With the mouse: click opens, Shift or Ctrl and click chooses.",
    filter: "Show one state",
    all: "All",
    missing: "Not made",
    cell: "{step}, {column}: {state}",
    item: "item {number}",
    byStep: "Counts by step",
    step: "Step",
    chosen: "{count} chosen",
    choose: "Choose all that are: {state}",
    clear: "Choose none",
    retryItems: "Retry the chosen",
    retryPartitions: "Make the chosen again",
    retrying: "They run again",
  },
  "pt-BR": {
    items: "Itens",
    partitions: "Partições",
    help: "As setas movem, Enter abre, espaço escolhe; com um estado, esquerda e direita vão ao próximo dele. Com o mouse: clique abre, Shift ou Ctrl e clique escolhe.",
    filter: "Mostrar um estado",
    all: "Todos",
    missing: "Não feita",
    cell: "{step}, {column}: {state}",
    item: "item {number}",
    byStep: "Contagem por passo",
    step: "Passo",
    chosen: "{count} escolhido || {count} escolhidos",
    choose: "Escolher todos: {state}",
    clear: "Não escolher nenhum",
    retryItems: "Tentar os escolhidos de novo",
    retryPartitions: "Fazer as escolhidas de novo",
    retrying: "Executam de novo",
  },
};
