import type { WebhookEvent } from "#metadata-store/registry";

const MODEL = {
  name: "example_model",
  tags: { example_key: "example_value" },
  description: "An example registered model",
};
const VERSION = { name: "example_model", version: "1" };
const TAG = { key: "example_key", value: "example_value" };

/** What a test delivery carries: the shape of a real one. */
export function examplePayload({ entity, action }: WebhookEvent): object {
  const value = action === "DELETED" ? { key: TAG.key } : TAG;
  switch (entity) {
    case "REGISTERED_MODEL":
    case "PROMPT":
      return MODEL;
    case "MODEL_VERSION_TAG":
    case "PROMPT_VERSION_TAG":
      return { ...VERSION, ...value };
    case "PROMPT_TAG":
      return { name: VERSION.name, ...value };
    case "MODEL_VERSION_ALIAS":
    case "PROMPT_ALIAS":
      return {
        name: VERSION.name,
        alias: "example_alias",
        ...(action === "DELETED" ? {} : { version: VERSION.version }),
      };
    default:
      return {
        ...VERSION,
        source: "models:/123",
        run_id: "abcd1234abcd5678",
        tags: MODEL.tags,
        description: "An example model version",
      };
  }
}
