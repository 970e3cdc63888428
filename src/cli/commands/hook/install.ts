import { type Command, commonOptions, textOption } from "../../command.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "hook install REPOSITORY [--url URL] [--branch NAME] [--subfolder PATH]",
  summary: "Let pushes to a git repository trigger pipelines",
  description:
    "Writes a post-receive hook that sends signed push events to this project's server; pipelines with on: { push: BRANCH } run on a checkout of the pushed commit.",
  options: {
    ...commonOptions,
    url: { type: "string", value: "URL", help: "The server; default http://127.0.0.1:4740." },
    branch: {
      type: "string",
      value: "NAME",
      help: "Branch whose pipelines are the project's current ones; default main.",
    },
    subfolder: { type: "string", value: "PATH", help: "Folder of esteira.yaml in the repository; default its root." },
  },
  examples: [
    {
      line: "esteira hook install ../service.git",
      does: "From now on a git push starts the pipelines, while esteira up runs",
    },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [repository = ""]) =>
    withProject(context, options, async ({ platform }) => {
      const request = {
        repository,
        url: textOption(options, "url") ?? "http://127.0.0.1:4740",
        branch: textOption(options, "branch") ?? "main",
        subfolder: textOption(options, "subfolder"),
      };
      await platform.installHook(request);
      if (options["json"] === true)
        context.terminal.printJson({ repository, url: request.url, branch: request.branch });
      else context.terminal.print(`Pushes to ${repository} are announced to ${request.url}/hooks/push.`);
    }),
};
