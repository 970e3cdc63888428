import { z } from "zod";
import { openPlatform } from "#app";
import { loadProjectSchema, readSettings, storeOnlyConfig } from "#config";
import { dashboardJsonSchema } from "#data";
import { featureFileSchema } from "#features";
import { monitorFileSchema } from "#monitoring";
import { jsonSchemas } from "#pipeline";
import { silentLog } from "#base";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FOLDER = "docs/reference/schemas";

/** JSON Schemas of the files a user writes, for editors; from the same definitions that check them. */
export async function generateEditorSchemas(): Promise<ReadonlyMap<string, string>> {
  const schemas: Record<string, unknown> = {
    "esteira.schema.json": inputSchema(await loadProjectSchema()),
    "features.schema.json": inputSchema(featureFileSchema),
    "monitor.schema.json": inputSchema(monitorFileSchema),
    "dashboard.schema.json": dashboardJsonSchema(),
    ...(await pipelineSchemas()),
  };
  return new Map(
    Object.entries(schemas).map(([file, schema]) => [`${FOLDER}/${file}`, `${JSON.stringify(schema, undefined, 2)}\n`]),
  );
}

/** docs/reference/configuration.md: every key of esteira.yaml. */
export async function generateConfigurationReference(): Promise<ReadonlyMap<string, string>> {
  const rows: string[] = [];
  collectRows(inputSchema(await loadProjectSchema()) as JsonSchema, "", rows);
  const text = [
    "<!-- Made by scripts/generate.ts -->",
    "# Configuration",
    "",
    "## esteira.yaml",
    "",
    "| key | meaning |",
    "|---|---|",
    ...rows,
    "",
    "## Environment variables",
    "",
    "| variable | meaning |",
    "|---|---|",
    "| `ESTEIRA_TOKEN` | API token that the command line acts with. |",
    "| `ESTEIRA_STORE` | Folder of the store, as `--store`. |",
    "| `ESTEIRA_ROLES` | What a server does, as `esteira up --roles ROLES`. |",
    "| `ESTEIRA_LANG` | `en` or `pt-BR`; else `LC_ALL`, `LC_MESSAGES`, `LANG`. |",
    "| `ESTEIRA_SECRET_<NAME>` | Value of the secret `<name>` that steps refer to. |",
    "| `NO_COLOR`, `FORCE_COLOR` | Turn colour off or on. |",
    "",
  ].join("\n");
  return new Map([["docs/reference/configuration.md", text]]);
}

interface JsonSchema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
}

function collectRows(schema: JsonSchema, prefix: string, rows: string[]): void {
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    rows.push(`| \`${prefix}${name}\` | ${(property.description ?? "").replaceAll("|", "\\|")} |`);
    collectRows(property, `${prefix}${name}.`, rows);
    if (typeof property.additionalProperties !== "object") continue;
    const { anyOf } = property.additionalProperties;
    const inside: string[] = [];
    for (const value of anyOf?.filter((each) => each.properties !== undefined) ?? [property.additionalProperties])
      collectRows(value, `${prefix}${name}.NAME.`, inside);
    // Alternatives may have a key in common.
    rows.push(...new Set(inside));
  }
}

function inputSchema(schema: z.ZodType): object {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
}

async function pipelineSchemas(): Promise<Readonly<Record<string, unknown>>> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-generate-"));
  const platform = await openPlatform({
    config: storeOnlyConfig(folder),
    isProject: false,
    settings: readSettings({}),
    log: silentLog,
  });
  try {
    return Object.fromEntries(
      Object.entries(jsonSchemas(platform.kinds)).map(([name, schema]) => [
        name.endsWith(".json") ? name : `${name}.schema.json`,
        schema,
      ]),
    );
  } finally {
    await platform.close();
    await rm(folder, { recursive: true, force: true });
  }
}
