import { z } from "zod";

/** Names of secrets, never the secrets: values stand in the environment as ESTEIRA_SECRET_<NAME>. */
const secret = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_-]{0,127}$/,
    "expected the name of a secret; its value stands in the environment of esteira, as ESTEIRA_SECRET_NAME",
  );
const address = z
  .url({ protocol: /^https?$/, error: 'expected "https://host/path"' })
  .refine((text) => !/^https?:\/\/[^/]*@/.test(text), "an address has no user and no password");
const mailbox = z.email();

const webhook = z.strictObject({
  webhook: address.describe("Address that each notice is posted to, as JSON."),
  secret: secret.optional().describe("Name of the secret that signs it. Without one it is not signed."),
});
const slack = z.strictObject({
  slack: secret.describe(
    "Name of the secret that holds the address of the incoming webhook: whoever knows it can post.",
  ),
});
const alertmanager = z.strictObject({
  alertmanager: address.describe("Address of an Alertmanager, without /api/v2: alerts are sent as Prometheus does."),
  token: secret.optional().describe("Name of the secret with the bearer token, where one is asked for."),
  labels: z
    .record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, "expected letters, digits and _"), z.string())
    .default({})
    .describe("Further labels, by which its routes choose."),
});
const pagerduty = z.strictObject({
  pagerduty: secret.describe("Name of the secret that holds the integration key of a service (Events API v2)."),
  address: address
    .default("https://events.pagerduty.com/v2/enqueue")
    .describe("Default https://events.pagerduty.com/v2/enqueue."),
  severity: z.enum(["critical", "error", "warning", "info"]).default("error").describe("Default error."),
});
const email = z.strictObject({
  email: z
    .strictObject({
      host: z.string().min(1).describe("Mail server."),
      port: z.int().min(1).max(65_535).default(587).describe("Default 587."),
      security: z
        .enum(["starttls", "tls", "none"])
        .default("starttls")
        .describe(
          "`starttls`: refused where the server offers none. `tls`: from the start, usually on 465. Default starttls.",
        ),
      user: z.string().min(1).optional().describe("Name that signs in. Default: nobody does."),
      password: secret.optional().describe("Name of the secret with the password."),
      from: mailbox.describe("Sender."),
      to: z.array(mailbox).min(1).max(50).describe("Receivers."),
    })
    .refine(({ user, password }) => (user === undefined) === (password === undefined), "user and password go together")
    .refine(
      ({ security, user }) => security !== "none" || user === undefined,
      "a password is not sent in the clear: use starttls or tls",
    ),
});

/** Where notices of alerts go. */
export const alertsSchema = z
  .strictObject({
    routes: z
      .record(
        z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, "expected letters, digits, _ and -, beginning with a letter"),
        z.union([webhook, slack, alertmanager, pagerduty, email]),
      )
      .default({})
      .describe("Ways to tell somebody of alerts, by name: `notify` of a monitor file names them."),
    default: z
      .array(z.string())
      .default([])
      .describe("Routes that are told where a monitor file has no `notify`. Default: none."),
    url: address.optional().describe("Address of the page, for links in notices. Default: notices have none."),
  })
  .check(({ value, issues }) => {
    for (const [place, name] of value.default.entries())
      if (!Object.hasOwn(value.routes, name))
        issues.push({
          code: "custom",
          message: `there is no route "${name}"; routes: ${Object.keys(value.routes).join(", ") || "none"}`,
          path: ["default", place],
          input: name,
        });
  });
