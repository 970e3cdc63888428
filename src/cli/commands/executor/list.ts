import { examineExecutors } from "#app";
import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "executor list",
  summary: "Show where steps can run, what each place gives, and which steps ask for more",
  description:
    "Asks every executor of esteira.yaml, with its workers, when they were heard of, and what they run; nothing is started. Exit code 1: one cannot be asked, or a step asks for more than its executor has.",
  options: commonOptions,
  examples: [{ line: "esteira executor list", does: "Every executor with the most that one process of it can have" }],
  run: (context, options) =>
    withProject(context, options, async ({ platform }) => {
      const { terminal } = context;
      const { executors, unplaced } = await examineExecutors(platform);
      const isWell = unplaced.length === 0 && executors.every(({ problem }) => problem === undefined);
      if (options["json"] === true) {
        terminal.printJson({ executors, unplaced });
        return isWell ? 0 : 1;
      }
      terminal.table([
        ["EXECUTOR", "KIND", "GIVES ONE STEP AT MOST"],
        ...executors.map(({ name, backend, isDefault, gives, problem }) => [
          isDefault ? `${name} *` : name,
          backend,
          gives ?? problem?.message ?? "",
        ]),
      ]);
      const workers = executors.flatMap(({ name, workers: own }) =>
        own.map((worker) => ({ ...worker, executor: name })),
      );
      if (workers.length > 0)
        terminal.table([
          ["WORKER", "EXECUTOR", "MACHINE", "LABELS", "SEEN", "RUNS"],
          ...workers.map(({ name, executor, host, labels, silentMs, steps }) => [
            name,
            executor,
            host,
            labels.join(", "),
            terminal.say("workerSeen", { seconds: Math.round(silentMs / 1000) }),
            steps.map(({ pipeline, step }) => `${pipeline}.${step}`).join(", "),
          ]),
        ]);
      for (const { problem } of executors) if (problem?.hint !== undefined) terminal.print(`    ${problem.hint}`);
      for (const { pipeline, step, executor, asks, able } of unplaced)
        terminal.print(
          terminal.style(
            "red",
            `✖ ${terminal.say(able.length === 0 ? "executorNoneAble" : "executorOthersAble", { step: `${pipeline}.${step}`, asks, executor, able: able.join(", ") })}`,
          ),
        );
      return isWell ? 0 : 1;
    }),
};
