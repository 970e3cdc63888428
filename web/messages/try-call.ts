type Key =
  | "title"
  | "intro"
  | "id"
  | "at"
  | "ask"
  | "asked"
  | "answer"
  | "optional"
  | "empty"
  | "number"
  | "whole"
  | "required"
  | "prediction"
  | "version"
  | "candidate";

/** Messages of the form that asks an endpoint: they come with it, not with the start. */
export const tryCallMessages: Readonly<Record<"en" | "pt-BR", Readonly<Record<Key, string>>>> = {
  en: {
    title: "Try it",
    intro: "Asks the endpoint for one row. It is answered and logged like any other request, and monitors see it.",
    id: "Your key of the row",
    at: "Time of the row",
    ask: "Ask for a prediction",
    asked: "It answered",
    answer: "Answer",
    optional: "read online when left empty",
    empty: "null when left empty",
    number: "{column}: expected a number, found “{found}”.",
    whole: "{column}: expected a whole number, found “{found}”.",
    required: "{column}: expected a value.",
    prediction: "The prediction in the log",
    version: "Version {version} answered.",
    candidate: "Version {version}, which is being tried, answered.",
  },
  "pt-BR": {
    title: "Experimentar",
    intro:
      "Pede ao endpoint uma linha. Ela é respondida e registrada como qualquer outra requisição, e os monitores a veem.",
    id: "Sua chave da linha",
    at: "Momento da linha",
    ask: "Pedir uma predição",
    asked: "Ele respondeu",
    answer: "Resposta",
    optional: "lido online quando vazio",
    empty: "nulo quando vazio",
    number: "{column}: esperado um número, encontrado “{found}”.",
    whole: "{column}: esperado um número inteiro, encontrado “{found}”.",
    required: "{column}: esperado um valor.",
    prediction: "A predição no registro",
    version: "Respondeu a versão {version}.",
    candidate: "Respondeu a versão {version}, que está em teste.",
  },
};
