import type { WaitReason } from "#api";

type Key =
  | "title"
  | "pools"
  | "pool"
  | "inUse"
  | "waiting"
  | "holders"
  | "none"
  | "noPools"
  | "noPoolsText"
  | "empty"
  | "emptyText"
  | "runs"
  | "steps"
  | "what"
  | "run"
  | "priority"
  | "queued"
  | "waitsFor"
  | "more"
  | `wait.${WaitReason["kind"]}`;

/** Messages of the queue and of pools: they come with what shows them, not with the start. */
export const queueMessages: Readonly<Record<"en" | "pt-BR", Readonly<Record<Key, string>>>> = {
  en: {
    title: "Queue",
    pools: "Pools",
    pool: "Pool",
    inUse: "{used} of {limit} slots in use",
    waiting: "Waiting",
    holders: "Held by",
    none: "nobody",
    noPools: "No pools",
    noPoolsText:
      "A pool limits how many steps, of all pipelines, use something at once. Projects declare them in esteira.yaml.",
    empty: "Nothing waits",
    emptyText: "Runs and steps that cannot begin at once are shown here, with the reason.",
    runs: "Runs that wait",
    steps: "Steps that wait",
    what: "What",
    run: "Run",
    priority: "Priority",
    queued: "Queued",
    waitsFor: "Waits for",
    more: "and {count} behind them",
    "wait.delay": "a retry, at {time}",
    "wait.concurrency": "concurrency “{name}”: {used} of {limit} at work",
    "wait.pool": "pool “{name}”: {used} of {limit} slots held, needs {needs}",
    "wait.pool-turn": "pool “{name}”: one before it needs more slots than are free",
    "wait.pool-gone": "pool “{name}”, which the project does not declare any more",
    "wait.engine": "an engine that has room",
    "wait.no-engine": "an engine: none works on the project",
  },
  "pt-BR": {
    title: "Fila",
    pools: "Pools",
    pool: "Pool",
    inUse: "{used} de {limit} vagas em uso",
    waiting: "Esperando",
    holders: "Ocupado por",
    none: "ninguém",
    noPools: "Nenhum pool",
    noPoolsText:
      "Um pool limita quantos passos, de todos os pipelines, usam algo ao mesmo tempo. Os projetos os declaram em esteira.yaml.",
    empty: "Nada espera",
    emptyText: "Execuções e passos que não podem começar já aparecem aqui, com o motivo.",
    runs: "Execuções que esperam",
    steps: "Passos que esperam",
    what: "O quê",
    run: "Execução",
    priority: "Prioridade",
    queued: "Na fila desde",
    waitsFor: "Espera por",
    more: "e mais {count} atrás deles",
    "wait.delay": "uma nova tentativa, às {time}",
    "wait.concurrency": "concorrência “{name}”: {used} de {limit} em andamento",
    "wait.pool": "pool “{name}”: {used} de {limit} vagas ocupadas, precisa de {needs}",
    "wait.pool-turn": "pool “{name}”: um passo à frente precisa de mais vagas do que há livres",
    "wait.pool-gone": "pool “{name}”, que o projeto não declara mais",
    "wait.engine": "um motor com lugar livre",
    "wait.no-engine": "um motor: nenhum trabalha no projeto",
  },
};
