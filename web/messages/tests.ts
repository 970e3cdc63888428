type Key =
  | "tab"
  | "none"
  | "noneText"
  | "steady"
  | "chart"
  | "bar"
  | "name"
  | "step"
  | "failing"
  | "flaky"
  | "failed"
  | "times"
  | "retried"
  | "last"
  | "said"
  | "looked";

/** Messages of the history of tests: they come with the page of a pipeline, not with the start. */
export const testMessages: Readonly<Record<"en" | "pt-BR", Readonly<Record<Key, string>>>> = {
  en: {
    tab: "Tests",
    none: "No report of tests yet",
    noneText: "A step whose command writes a JUnit file names it: report: junit.xml",
    steady: "No test failed in these runs.",
    chart: "Tests of the last {count} step runs, oldest first",
    bar: "{tests} tests, {failed} failed, {flaky} flaky, {skipped} skipped",
    name: "Test",
    step: "Step",
    failing: "Failing",
    flaky: "Flaky",
    failed: "Failed",
    times: "{failed} of {of}",
    retried: "{count} passed at a further attempt",
    last: "Last",
    said: "What it said",
    looked:
      "From the reports of the last {count} pipeline runs. Flaky: passed where it had failed, in a further attempt or in another run of the same commit.",
  },
  "pt-BR": {
    tab: "Testes",
    none: "Ainda não há relatório de testes",
    noneText: "Um passo cujo comando escreve um arquivo JUnit o nomeia: report: junit.xml",
    steady: "Nenhum teste falhou nessas execuções.",
    chart: "Testes das últimas {count} execuções de passos, da mais antiga à mais nova",
    bar: "{tests} testes, {failed} falharam, {flaky} instáveis, {skipped} pulados",
    name: "Teste",
    step: "Passo",
    failing: "Falhando",
    flaky: "Instável",
    failed: "Falhou",
    times: "{failed} de {of}",
    retried: "{count} passou em outra tentativa",
    last: "Última vez",
    said: "O que disse",
    looked:
      "Dos relatórios das últimas {count} execuções do pipeline. Instável: passou onde tinha falhado, em outra tentativa ou em outra execução do mesmo commit.",
  },
};
