import { z } from "zod";

/** Where GitHub's API is; the others are below an address of their own. */
const GITHUB_API = "https://api.github.com";

/** The service that keeps a project's repository and its pull requests. */
export const forgeSchema = z
  .strictObject({
    kind: z.enum(["github", "gitlab", "gitea", "forgejo"]).describe("What it is."),
    repository: z
      .string()
      .regex(/^[\w.-]+(\/[\w.-]+){1,10}$/, 'expected "owner/name"')
      .describe("The repository there: owner/name, of GitLab with all groups."),
    url: z
      .url({ protocol: /^https?$/ })
      .transform((url) => url.replace(/\/+$/, ""))
      .optional()
      .describe("Its address; of GitHub Enterprise that of its API. Default: https://api.github.com for GitHub."),
    token: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, "expected the name of a secret")
      .default("FORGE_TOKEN")
      .describe("Name of the secret with the token that writes commit statuses. Default FORGE_TOKEN."),
    pages: z
      .url({ protocol: /^https?$/ })
      .transform((url) => url.replace(/\/+$/, ""))
      .optional()
      .describe("Address at which people reach this server: statuses link to it. Default: they link to nothing."),
  })
  .transform((forge, context) => {
    const url = forge.url ?? (forge.kind === "github" ? GITHUB_API : undefined);
    if (url !== undefined) return { ...forge, url };
    context.addIssue({ code: "custom", path: ["url"], message: `a ${forge.kind} has an address: url: https://…` });
    return z.NEVER;
  });
