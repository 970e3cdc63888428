type Key =
  | "title"
  | "pause"
  | "paused"
  | "pausedDone"
  | "pauseTitle"
  | "pauseText"
  | "resume"
  | "resumed"
  | "looksAt"
  | "every"
  | "lastLook"
  | "lastEvent"
  | "runs"
  | "state"
  | "well"
  | "notYet";

/** Messages of schedules and sensors: they come with the page of a pipeline, not with the start. */
export const scheduleMessages: Readonly<Record<"en" | "pt-BR", Readonly<Record<Key, string>>>> = {
  en: {
    title: "Sensors",
    pause: "Pause",
    paused: "Paused by {actor}",
    pausedDone: "Nothing starts it by itself now",
    pauseTitle: "Pause schedules and sensors?",
    pauseText: "No schedule and no sensor starts this pipeline until somebody resumes it. By hand it still runs.",
    resume: "Resume schedules",
    resumed: "Schedules and sensors start it again",
    looksAt: "Looks at",
    every: "Every",
    lastLook: "Last look",
    lastEvent: "Last event",
    runs: "Runs started",
    state: "State",
    well: "Well",
    notYet: "Not yet",
  },
  "pt-BR": {
    title: "Sensores",
    pause: "Pausar",
    paused: "Pausado por {actor}",
    pausedDone: "Agora nada o inicia sozinho",
    pauseTitle: "Pausar agendamentos e sensores?",
    pauseText: "Nenhum agendamento ou sensor inicia este pipeline até que alguém o retome. À mão ele ainda roda.",
    resume: "Retomar agendamentos",
    resumed: "Agendamentos e sensores o iniciam de novo",
    looksAt: "Observa",
    every: "A cada",
    lastLook: "Última observação",
    lastEvent: "Último evento",
    runs: "Execuções iniciadas",
    state: "Estado",
    well: "Bem",
    notYet: "Ainda não",
  },
};
