import { z } from "zod";
import { secretName } from "./database-declaration.ts";

const text = z.string().min(1);
const server = z
  .string()
  .regex(
    /^((nats|tls):\/\/)?([A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?$/,
    "expected a host and its port, such as nats.example.org:4222, without user and password",
  );

export const natsSchema = z
  .strictObject({
    servers: z
      .union([server, z.array(server).min(1)])
      .describe("Server, or several of one cluster, of which the first that answers is read: nats.example.org:4222"),
    stream: z
      .string()
      .regex(/^[^\s.*>/\\]+$/, "expected the name of a stream, without spaces, dots, wildcards and slashes")
      .describe("JetStream stream."),
    subject: z
      .union([text, z.array(text).min(1)])
      .optional()
      .describe(
        "Only messages of this subject, wildcards allowed (orders.*.new, clicks.>). Default: all of the stream.",
      ),
    auth: z
      .strictObject({
        token: secretName.optional().describe("Name of the secret that is the token."),
        user: z.strictObject({ name: text, password: secretName.describe("Name of a secret.") }).optional(),
        nkey: secretName.optional().describe("Name of the secret that is the seed of a key (SU…)."),
        creds: secretName.optional().describe("Name of the secret that is the content of a .creds file."),
      })
      .refine((auth) => Object.keys(auth).length === 1, "one way to sign in: token, user, nkey or creds")
      .optional()
      .describe("How to sign in. Values are secrets, by name. Default: nobody signs in."),
    tls: z
      .enum(["verify", "unverified", "off"])
      .optional()
      .describe(
        "How the connection is encrypted. Default: `verify` for servers on the public internet, `off` for those of the inside.",
      ),
    messages: z
      .int()
      .min(1)
      .max(10_000_000)
      .optional()
      .describe("Messages that one run reads at most; the rest waits for the next one. Default 1000000."),
    gaps: z
      .enum(["error", "warn"])
      .optional()
      .describe(
        "When the stream let go of messages before they were read: `error` (default) stops the step, `warn` says so and goes on behind them.",
      ),
  })
  .describe("Messages of a NATS JetStream stream, JSON objects each, read by their sequence; nothing is acknowledged.");

export type NatsDeclaration = z.infer<typeof natsSchema>;
