type Key =
  | "open"
  | "title"
  | "nothing"
  | "commit"
  | "sources"
  | "files"
  | "more"
  | "metric"
  | "setting"
  | "before"
  | "after"
  | "recipe"
  | "added"
  | "removed"
  | "changed";

/** Messages of what differs between two releases: they come with the page of releases, not with the start. */
export const releaseDifferenceMessages: Readonly<Record<"en" | "pt-BR", Readonly<Record<Key, string>>>> = {
  en: {
    open: "What differs",
    title: "{asset} in {environment}: what differs from the release before",
    nothing: "Nothing differs.",
    commit: "Commit",
    sources: "Files of the repository",
    files: "Files",
    more: "and {count} more",
    metric: "Metric",
    setting: "Setting",
    before: "Before",
    after: "After",
    recipe: "Recipe",
    added: "added",
    removed: "removed",
    changed: "changed",
  },
  "pt-BR": {
    open: "O que difere",
    title: "{asset} em {environment}: o que difere da entrega anterior",
    nothing: "Nada difere.",
    commit: "Commit",
    sources: "Arquivos do repositório",
    files: "Arquivos",
    more: "e mais {count}",
    metric: "Métrica",
    setting: "Ajuste",
    before: "Antes",
    after: "Depois",
    recipe: "Receita",
    added: "novo",
    removed: "removido",
    changed: "alterado",
  },
};
