/** Messages of treatments: they come with the page of a dataset, not with the start. */
export const treatmentMessages = {
  en: {
    title: "Treatments",
    column: "Column",
    treatment: "Treatment",
    values: "Values changed",
  },
  "pt-BR": {
    title: "Tratamentos",
    column: "Coluna",
    treatment: "Tratamento",
    values: "Valores alterados",
  },
} as const;
