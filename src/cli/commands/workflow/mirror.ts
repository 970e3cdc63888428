import { findWorkflows, mirrorFolderOf, workflowUnknown } from "#app";
import { messageOf } from "#base";
import { type Command, type CommandContext, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { withProject } from "../../session.ts";
import { isCalled } from "./printable.ts";

const GITHUB = "https://github.com";
/** Actions name further ones; a ring of them ends by itself, as each is fetched once. */
const MOST_ROUNDS = 10;
const USAGE = "workflow mirror [WORKFLOW] [--from URL]";

interface Fetched {
  /** `owner/name@ref` */
  readonly repository: string;
  readonly commit?: string;
  readonly problem?: string;
}

export const command: Command = {
  usage: USAGE,
  summary: "Fetch the actions that workflows name and the mirror lacks",
  description:
    "Each goes into the folder that workflows.mirror in esteira.yaml names, as OWNER/NAME@REF, without its history; what it names itself comes along. What is there stays as it is: remove a folder to fetch it again. Nothing of it is run. Exit code 1: something could not be fetched.",
  options: {
    ...commonOptions,
    from: {
      type: "string",
      value: "URL",
      help: `What the repositories' addresses begin with, as git takes it. Default ${GITHUB}.`,
    },
  },
  examples: [
    { line: "esteira workflow mirror", does: "What all workflows need" },
    {
      line: "esteira workflow mirror ci.yml --from ssh://git@git.example.com",
      does: "What one needs, from a copy inside",
    },
  ],
  positionals: { least: 0, most: 1 },
  run: (context, options, [wanted]) =>
    withProject(context, options, async ({ platform }) => {
      const { terminal } = context;
      const mirror = mirrorFolderOf(platform);
      if (mirror === undefined)
        throw usageWrong({
          usage: USAGE,
          reason: "No mirror is named in esteira.yaml: workflows: { mirror: vendor/actions }",
        });
      const from = (textOption(options, "from") ?? GITHUB).replace(/\/+$/, "");
      const done = new Map<string, Fetched>();
      for (let round = 0; round < MOST_ROUNDS; round++) {
        const all = await findWorkflows(platform);
        const found = wanted === undefined ? all : all.filter((one) => isCalled(one, wanted));
        if (wanted !== undefined && found.length === 0)
          throw workflowUnknown({ workflow: wanted, known: all.map(({ file }) => file) });
        const missing = new Set(found.flatMap((one) => one.missing));
        const open = [...missing].filter((repository) => !done.has(repository)).toSorted();
        if (open.length === 0) break;
        for (const repository of open) {
          if (context.signal.aborted) return 130;
          terminal.note(terminal.say("mirrorFetching", { repository, from }));
          done.set(
            repository,
            await platform.git.copyRef(toPlace(repository, { from, mirror, signal: context.signal })).then(
              (commit) => ({ repository, commit }),
              (error: unknown) => ({ repository, problem: messageOf(error) }),
            ),
          );
        }
      }
      const fetched = [...done.values()];
      if (options["json"] === true) terminal.printJson(fetched);
      else show(terminal, fetched);
      return fetched.some(({ problem }) => problem !== undefined) ? 1 : 0;
    }),
};

function show(terminal: CommandContext["terminal"], fetched: readonly Fetched[]): void {
  if (fetched.length === 0) terminal.print(terminal.say("mirrorWhole"));
  for (const { repository, commit, problem } of fetched)
    terminal.print(
      problem === undefined
        ? `${terminal.style("green", "✔")} ${repository}  ${commit ?? ""}`
        : `${terminal.style("red", "✖")} ${repository}  ${problem}`,
    );
}

function toPlace(
  repository: string,
  { from, mirror, signal }: { readonly from: string; readonly mirror: string; readonly signal: AbortSignal },
) {
  const at = repository.indexOf("@");
  return {
    repository: `${from}/${repository.slice(0, at)}`,
    ref: repository.slice(at + 1),
    folder: `${mirror}/${repository}`,
    signal,
  };
}
