import { mlflowRoutes } from "#api";
import {
  createWebhook,
  deleteWebhook,
  getWebhook,
  listWebhooks,
  updateWebhook,
  WEBHOOK_ACTIONS,
  type WebhookEntity,
  type WebhookEvent,
} from "#metadata-store/registry";
import { type MlflowMessage, type MlflowCall, parameterInvalid, readPageToken, writePageToken } from "#tracking";
import { type RegistryCall, type RegistryContext, route } from "./registry-context.ts";
import { toWebhookMessage, unlessEmpty } from "./registry-message.ts";

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 1000;
const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const STATUS_NUMBERS = { ACTIVE: 1, DISABLED: 2 } as const;

/** `webhooks` of MLflow's REST API. */
export function webhookRoutes(context: RegistryContext): readonly MlflowCall[] {
  const { store } = context;
  const idOf = ({ request }: RegistryCall): string => request.params["webhookId"] ?? "";
  return [
    route(context, mlflowRoutes.createWebhook, async ({ fields, atMs, actor }) => {
      const name = fields.requiredString("name");
      const url = fields.requiredString("url");
      assertName(name);
      await assertUrl(context, url);
      const facts = {
        ...(await readOptional(context, fields)),
        name,
        url,
        events: readEvents(fields),
        project: context.project,
        atMs,
        actor,
      };
      return { webhook: toWebhookMessage(await store.write((transaction) => createWebhook(transaction, facts))) };
    }),
    route(context, mlflowRoutes.listWebhooks, async ({ fields }) => {
      const limit = readPageSize(fields);
      const token = fields.string("page_token") ?? "";
      const { after } = token === "" ? { after: undefined } : readPageToken(token);
      const found = await store.read((transaction) =>
        listWebhooks(transaction, { limit: limit + 1, ...(typeof after === "string" ? { after } : {}) }),
      );
      const page = found.slice(0, limit);
      const next = found.length > limit ? { next_page_token: writePageToken({ after: page.at(-1)?.id }) } : {};
      return { ...unlessEmpty("webhooks", page.map(toWebhookMessage)), ...next };
    }),
    route(context, mlflowRoutes.getWebhook, async (call) => {
      return { webhook: toWebhookMessage(await store.read((transaction) => getWebhook(transaction, idOf(call)))) };
    }),
    route(context, mlflowRoutes.updateWebhook, async (call) => {
      const { fields, atMs, actor } = call;
      const [name, url] = [fields.string("name"), fields.string("url")];
      if (name !== undefined) assertName(name);
      if (url !== undefined) await assertUrl(context, url);
      const events = fields.messages("events").length > 0 ? readEvents(fields) : undefined;
      const change = {
        ...(await readOptional(context, fields)),
        id: idOf(call),
        name,
        url,
        events,
        project: context.project,
        atMs,
        actor,
      };
      return { webhook: toWebhookMessage(await store.write((transaction) => updateWebhook(transaction, change))) };
    }),
    route(context, mlflowRoutes.deleteWebhook, async (call) => {
      const { atMs, actor } = call;
      await store.write((transaction) =>
        deleteWebhook(transaction, { id: idOf(call), project: context.project, atMs, actor }),
      );
      return {};
    }),
    route(context, mlflowRoutes.testWebhook, async (call) => ({
      result: await test(context, call, idOf(call)),
    })),
  ];
}

async function test(context: RegistryContext, { fields }: RegistryCall, id: string): Promise<object> {
  const event = fields.message("event");
  const outcome = await context.webhooks.test(id, event === undefined ? undefined : readEvent(event));
  if ("error" in outcome) return { success: false, error_message: outcome.error };
  return {
    success: outcome.answer.status < 400,
    response_status: outcome.answer.status,
    response_body: outcome.answer.body,
  };
}

async function readOptional(
  { webhooks }: RegistryContext,
  fields: MlflowMessage,
): Promise<{
  description: string | undefined;
  secret: string | undefined;
  status: "ACTIVE" | "DISABLED" | undefined;
}> {
  const secret = readSecret(fields);
  return {
    description: fields.string("description"),
    secret: secret === undefined || secret === "" ? secret : await webhooks.seal(secret),
    status: fields.enumeration("status", STATUS_NUMBERS),
  };
}

/** Unlike other fields, what was sent is not repeated in the answer: a number or a list is as secret as a string. */
function readSecret(fields: MlflowMessage): string | undefined {
  const value = fields.raw("secret");
  if (value === undefined || typeof value === "string") return value;
  throw parameterInvalid({ message: "Invalid value for parameter 'secret' supplied: it must be a string." });
}

function readPageSize(fields: MlflowMessage): number {
  const limit = fields.integer("max_results") ?? 0;
  if (limit < 0 || limit > LARGEST_PAGE)
    throw parameterInvalid({ message: `max_results must be between 1 and ${LARGEST_PAGE}.` });
  return limit === 0 ? DEFAULT_PAGE : limit;
}

function assertName(name: string): void {
  if (NAME.test(name)) return;
  throw parameterInvalid({
    message: `Webhook name '${name}' is invalid. It must start and end with a letter or digit, be less than 63 characters long, and contain only letters, digits, dots (.), underscores (_), and hyphens (-).`,
  });
}

async function assertUrl({ webhooks }: RegistryContext, text: string): Promise<void> {
  if (text.trim() === "")
    throw parameterInvalid({ message: `Webhook URL cannot be empty or just whitespace: '${text}'` });
  if (!URL.canParse(text)) throw parameterInvalid({ message: `Invalid webhook URL '${text}'` });
  const { protocol, hostname, username, password } = new URL(text);
  const scheme = protocol.slice(0, -1);
  if (!webhooks.schemes.includes(scheme))
    throw parameterInvalid({
      message: `Invalid webhook URL scheme: '${scheme}'. Allowed schemes are: ${webhooks.schemes.join(", ")}.`,
    });
  if (hostname === "") throw parameterInvalid({ message: `Webhook URL must include a hostname: '${text}'` });
  if (username !== "" || password !== "")
    throw parameterInvalid({
      message: "Webhook URL must not hold credentials: use a secret, deliveries are signed with it.",
    });
  await webhooks.assertTarget(text);
}

function readEvents(fields: MlflowMessage): readonly WebhookEvent[] {
  const events = fields.messages("events").map(readEvent);
  if (events.length === 0)
    throw parameterInvalid({ message: "Webhook events must be a non-empty list of WebhookEvent objects: []." });
  return events;
}

function readEvent(message: MlflowMessage): WebhookEvent {
  const entity = message.requiredString("entity");
  const action = message.requiredString("action");
  if (!Object.hasOwn(WEBHOOK_ACTIONS, entity)) {
    throw parameterInvalid({
      message: `Invalid entity '${entity.toLowerCase()}'. Valid entities are: [${listed(Object.keys(WEBHOOK_ACTIONS))}]`,
    });
  }
  const actions: readonly string[] = WEBHOOK_ACTIONS[entity as WebhookEntity];
  if (!actions.includes(action)) {
    throw parameterInvalid({
      message: `Invalid action '${action.toLowerCase()}' for entity '${entity.toLowerCase()}'. Valid actions are: [${listed(actions)}]`,
    });
  }
  return { entity, action };
}

function listed(names: readonly string[]): string {
  return names.map((name) => `'${name.toLowerCase()}'`).join(", ");
}
