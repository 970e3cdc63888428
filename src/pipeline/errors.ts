import { defineError, type ErrorFactory, nearestName } from "#base";

const listed = (names: readonly string[]): string => (names.length === 0 ? "none" : names.slice(0, 20).join(", "));
const didYouMean = (found: string, names: readonly string[]): string => {
  const near = nearestName(found, names);
  return near === undefined ? `Known: ${listed(names)}.` : `Did you mean "${near}"?`;
};

export const definitionInvalid: ErrorFactory<{ count: number; text: string; step?: string }> = defineError(
  "PIPELINE_DEFINITION_INVALID",
  {
    status: 400,
    // Some mistakes show only once the steps before have run: a column that a file does not bring.
    message: ({ count, text, step }) =>
      step === undefined
        ? `${count} ${count === 1 ? "mistake" : "mistakes"} in the project's files:\n${text}`
        : `Step "${step}" does not fit what it reads:\n${text}`,
    hint: ({ step }) =>
      step === undefined
        ? "Nothing was started. Correct the lines named above and try again."
        : "Correct the lines named above; what ran before is kept.",
    solve: "Every mistake is listed with its file, line and column; correct them and run the command again.",
  },
);

export const pipelineUnknown: ErrorFactory<{ pipeline: string; pipelines: readonly string[] }> = defineError(
  "PIPELINE_UNKNOWN",
  {
    status: 404,
    message: ({ pipeline, pipelines }) =>
      `There is no pipeline "${pipeline}"${pipelines.length === 0 ? "" : `; known: ${listed(pipelines)}`}`,
    hint: ({ pipeline, pipelines }) =>
      pipelines.length === 0
        ? `The project has no pipelines. Put one into pipelines/${pipeline}.yaml.`
        : didYouMean(pipeline, pipelines),
    solve: "Use the name of a file in `pipelines/`, without `.yaml`.",
  },
);

export const stepUnknown: ErrorFactory<{ pipeline?: string; step: string; steps: readonly string[] }> = defineError(
  "PIPELINE_STEP_UNKNOWN",
  {
    status: 400,
    message: ({ pipeline, step, steps }) =>
      pipeline === undefined
        ? `No pipeline has a step "${step}"; there are: ${listed(steps)}`
        : `Pipeline "${pipeline}" has no step "${step}"; it has: ${listed(steps)}`,
    hint: ({ step, steps }) => didYouMean(step, steps),
    solve: "Use the name of a step of the pipeline.",
  },
);

export const paramUnknown: ErrorFactory<{ pipeline: string; param: string; params: readonly string[] }> = defineError(
  "PIPELINE_PARAM_UNKNOWN",
  {
    status: 400,
    message: ({ pipeline, param, params }) =>
      `Pipeline "${pipeline}" has no param "${param}"; it has: ${listed(params)}`,
    hint: ({ param, params }) => didYouMean(param, params),
    solve: "Use a param declared under `params` of the pipeline.",
  },
);

export const paramMissing: ErrorFactory<{ pipeline: string; param: string }> = defineError("PIPELINE_PARAM_MISSING", {
  status: 400,
  message: ({ pipeline, param }) => `Param "${param}" of pipeline "${pipeline}" has no default and no value was given`,
  hint: ({ param }) => `Give it with --param ${param}=VALUE, or declare a default.`,
  solve: "Give the param a value, or a default in the pipeline's file.",
});

export const paramWrong: ErrorFactory<{ pipeline: string; param: string; found: string; expected: string }> =
  defineError("PIPELINE_PARAM_WRONG", {
    status: 400,
    message: ({ pipeline, param, found, expected }) =>
      `Param "${param}" of pipeline "${pipeline}" is ${found}, expected ${expected}`,
    hint: ({ param, expected }) => `Give --param ${param} ${expected}.`,
    solve: "Give a value of the declared type, or one of the declared choices.",
  });

export const expressionWrong: ErrorFactory<{ expression: string; reason: string; hint: string }> = defineError(
  "PIPELINE_EXPRESSION_WRONG",
  {
    status: 400,
    message: ({ expression, reason }) => `The expression \${{ ${expression} }} cannot be read: ${reason}`,
    hint: ({ hint }) => hint,
    solve:
      "Expressions know params, matrix, steps, trigger, run and project; operators ! == != < <= > >= && ||; texts in single quotes.",
  },
);

export const valueUnsafe: ErrorFactory<{ step: string; expression: string }> = defineError("PIPELINE_VALUE_UNSAFE", {
  status: 400,
  message: ({ step, expression }) =>
    `Step "${step}" puts the value of \${{ ${expression} }} into a shell line, but a shell would interpret what it holds`,
  hint: () => 'Pass it through env: { NAME: "${{ … }}" } and write "$NAME" in the command.',
  solve: "Pass values that hold spaces, quotes or other shell characters through `env`, not into the command's text.",
});

export const commandFailed: ErrorFactory<{ step: string; ending: string; tail: string }> = defineError(
  "PIPELINE_COMMAND_FAILED",
  {
    status: 500,
    message: ({ step, ending, tail }) =>
      `The command of step "${step}" ${ending}${tail === "" ? "" : `; it said last: ${tail}`}`,
    hint: ({ ending }) =>
      /SIGKILL/.test(ending)
        ? "Killed from outside: usually the system ran out of memory."
        : "The step's log says more.",
    solve: "Look at the step's log; correct the command; resume the pipeline run.",
  },
);

export const kindUnknown: ErrorFactory<{ step: string; kind: string }> = defineError("PIPELINE_KIND_UNKNOWN", {
  status: 500,
  message: ({ step, kind }) => `Step "${step}" is of kind "${kind}", which this program does not have`,
  hint: () => "The run was queued by another version of the program.",
  solve: "Run it with the program that registered the pipeline.",
});

export const recipeInvalid: ErrorFactory<{ digest: string; found: string; expected: string }> = defineError(
  "PIPELINE_RECIPE_INVALID",
  {
    status: 500,
    message: ({ digest, found, expected }) => `${digest} is no ${expected}: ${found}`,
    hint: () => "It was written by another version of the program.",
    solve: "Read it with the program that wrote it.",
  },
);

export const fileOutside: ErrorFactory<{ file: string; target: string }> = defineError("PIPELINE_FILE_OUTSIDE", {
  status: 400,
  message: ({ file, target }) => `${file} leads to ${target}, which is no file of the project: it is not read`,
  hint: () => "Put the file itself where the link is.",
  solve:
    "Put the file itself into the project: a link to somewhere else, to the store or to what git keeps is not followed.",
});

export const outputOutside: ErrorFactory<{ asset: string; folder: string }> = defineError("PIPELINE_OUTPUT_OUTSIDE", {
  status: 400,
  message: ({ asset, folder }) =>
    `What was left for "${asset}" is a link to ${folder}, which is no folder of the attempt`,
  hint: () => "Let the command write its files there, or copy them: a link to somewhere else is not followed.",
  solve: "Let the step write files where its result is looked for, not a link to another folder.",
});

export const partitionsAbsent: ErrorFactory<{ pipeline: string }> = defineError("PIPELINE_PARTITIONS_ABSENT", {
  status: 400,
  message: ({ pipeline }) => `Pipeline "${pipeline}" has no partitions`,
  hint: () => "Run it without one, or declare some: partitions: { every: day, start: 2026-01-01 }.",
  solve: "Name no partition, or declare `partitions` in the pipeline's file.",
});

export const partitionMissing: ErrorFactory<{ pipeline: string; newest?: string | undefined }> = defineError(
  "PIPELINE_PARTITION_MISSING",
  {
    status: 400,
    message: ({ pipeline }) => `Pipeline "${pipeline}" is run one partition at a time, and no single one is named`,
    hint: ({ newest }) =>
      newest === undefined ? "None of its partitions is over yet." : `For example the partition ${newest}.`,
    solve: "Name one partition of the pipeline; several at once are a backfill.",
  },
);

export const partitionUnknown: ErrorFactory<{
  pipeline: string;
  partition: string;
  names: readonly string[];
  every?: string;
  example?: string;
}> = defineError("PIPELINE_PARTITION_UNKNOWN", {
  status: 400,
  message: ({ pipeline, partition, every, example }) =>
    `Pipeline "${pipeline}" has no partition "${partition}"${every === undefined ? "" : `; it has one per ${every}, such as ${example ?? ""}`}`,
  hint: ({ partition, names }) => {
    const same = names.filter((name) => name.startsWith(partition));
    return same.length > 1 ? `It means several: ${listed(same)}.` : didYouMean(partition, names);
  },
  solve: "Use the name of a partition that the pipeline declares; its page lists them.",
});

export const partitionNotOver: ErrorFactory<{
  pipeline: string;
  partition: string;
  endsAt: string;
  newest?: string | undefined;
}> = defineError("PIPELINE_PARTITION_NOT_OVER", {
  status: 400,
  message: ({ pipeline, partition, endsAt }) =>
    `Partition "${partition}" of pipeline "${pipeline}" is not over: it ends at ${endsAt}`,
  hint: ({ newest }) => (newest === undefined ? "None is over yet." : `The newest that is over: ${newest}.`),
  solve: "Wait until the time of the partition is over: what is made of it before would lack rows.",
});

export const partitionsEmpty: ErrorFactory<{
  pipeline: string;
  from?: string | undefined;
  to?: string | undefined;
  newest?: string | undefined;
}> = defineError("PIPELINE_PARTITIONS_EMPTY", {
  status: 400,
  message: ({ pipeline, from, to }) =>
    `Pipeline "${pipeline}" has no partition that is over${from === undefined ? "" : ` from ${from}`}${to === undefined ? "" : ` to ${to}`}`,
  hint: ({ newest }) =>
    newest === undefined
      ? "None is over yet."
      : `The newest that is over: ${newest}. The first one named must not be after the last.`,
  solve: "Name a range in which partitions of the pipeline lie, the earlier first.",
});

export const partitionsTooMany: ErrorFactory<{ pipeline: string; most: number }> = defineError(
  "PIPELINE_PARTITIONS_TOO_MANY",
  {
    status: 400,
    message: ({ pipeline, most }) => `Pipeline "${pipeline}" would have more than ${most} partitions`,
    hint: () => "Name a shorter range, a later start, a larger unit or fewer keys.",
    solve: "Declare fewer partitions, or name a shorter range of them.",
  },
);
