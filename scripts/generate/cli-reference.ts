import { commandHelp, commands, createTerminal } from "../../src/cli/reference.ts";

/** docs/reference/cli.md: every command with its `--help`. */
export async function generateCliReference(): Promise<ReadonlyMap<string, string>> {
  const terminal = createTerminal({ output: process.stdout, errors: process.stderr, color: false, language: "en" });
  const sections: string[] = [];
  for (const [name, entry] of Object.entries(commands)) {
    const { command } = await entry.load();
    sections.push(`## esteira ${name}\n\n\`\`\`text\n${commandHelp(command, terminal)}\n\`\`\`\n`);
  }
  return new Map([
    ["docs/reference/cli.md", `<!-- Made by scripts/generate.ts -->\n# Command line\n\n${sections.join("\n")}`],
  ]);
}
