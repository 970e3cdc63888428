/** Messages of treatments and expired versions: they come with the page of a dataset, not with the start. */
export const treatmentMessages = {
  en: {
    title: "Treatments",
    column: "Column",
    treatment: "Treatment",
    values: "Values changed",
    expired: "kept no longer",
    expiredSince: "Its rows are kept no longer since {time}",
  },
  "pt-BR": {
    title: "Tratamentos",
    column: "Coluna",
    treatment: "Tratamento",
    values: "Valores alterados",
    expired: "não guardada mais",
    expiredSince: "As linhas não são mais guardadas desde {time}",
  },
} as const;
