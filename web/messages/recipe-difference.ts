type Key = "open" | "since" | "sinceLive" | "first" | "nothing" | "before" | "after" | Part;
type Part = "step" | "key" | "param" | "variable" | "file" | "code" | "environment" | "version" | "deploy";

/** Messages of what differs between two recipes: they come with the pages that decide, not with the start. */
export const recipeDifferenceMessages: Readonly<Record<"en" | "pt-BR", Readonly<Record<Key, string>>>> = {
  en: {
    open: "What differs",
    since: "Since the recipe that was approved for {environment}:",
    sinceLive: "Since what is live in {environment}:",
    first: "Nothing was approved for {environment} before: all of it is new.",
    nothing: "Nothing that decides the result differs.",
    before: "Before",
    after: "After",
    step: "kind of step",
    key: "setting",
    param: "parameter",
    variable: "variable",
    file: "file",
    code: "code",
    environment: "packages",
    version: "version",
    deploy: "deployment",
  },
  "pt-BR": {
    open: "O que difere",
    since: "Desde a receita aprovada para {environment}:",
    sinceLive: "Desde o que está no ar em {environment}:",
    first: "Nada foi aprovado antes para {environment}: tudo é novo.",
    nothing: "Nada que decide o resultado difere.",
    before: "Antes",
    after: "Depois",
    step: "tipo de etapa",
    key: "ajuste",
    param: "parâmetro",
    variable: "variável",
    file: "arquivo",
    code: "código",
    environment: "pacotes",
    version: "versão",
    deploy: "implantação",
  },
};
