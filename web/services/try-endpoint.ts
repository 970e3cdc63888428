import type { TriedColumn } from "../models/tried-row.ts";
import { send } from "./api.ts";

/** How an endpoint is asked: its columns, and a row that it accepts where one is known. */
export interface EndpointForm {
  readonly columns: readonly TriedColumn[];
  readonly example: Readonly<Record<string, unknown>>;
  /** ISO 8601; when the example's features are fresh. */
  readonly at: string | undefined;
}

interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
}

interface CallDocument {
  readonly paths: Readonly<
    Record<
      string,
      {
        readonly post?: {
          readonly requestBody: {
            readonly content: Readonly<
              Record<
                string,
                {
                  readonly schema: Schema;
                  readonly example?: {
                    readonly rows?: readonly { readonly at?: string; readonly features?: EndpointForm["example"] }[];
                  };
                }
              >
            >;
          };
        };
      }
    >
  >;
}

/** What an endpoint answered to one row. */
export interface TriedAnswer {
  readonly predictions: readonly Readonly<Record<string, unknown>>[];
  readonly modelVersion: number;
  readonly candidate?: { readonly modelVersion: number } | undefined;
}

/** Reads the endpoint's own OpenAPI document. @throws ProblemError */
export async function readEndpointForm(path: string, signal: AbortSignal): Promise<EndpointForm> {
  const document = await send<CallDocument>({ method: "GET", address: placeOf(path, "openapi.json"), signal });
  const predict = Object.entries(document.paths).find(([address]) => address.endsWith("/predict"))?.[1].post;
  const content = predict?.requestBody.content["application/json"];
  const row = content?.schema.properties?.["rows"]?.items?.properties?.["features"];
  const [example] = content?.example?.rows ?? [];
  return {
    columns: columnsOf(row ?? {}),
    example: example?.features ?? {},
    at: example?.at,
  };
}

function columnsOf({ properties = {}, required = [] }: Schema): readonly TriedColumn[] {
  return Object.entries(properties).map(([name, { type = "string" }]) => ({
    name,
    type: typeOf([type].flat()),
    isRequired: required.includes(name),
    isNullable: [type].flat().includes("null"),
  }));
}

/** Asks an endpoint for one row; the answer is logged like any other. @throws ProblemError */
export function tryEndpoint(
  path: string,
  row: { readonly features: Readonly<Record<string, unknown>>; readonly id?: string; readonly at?: string },
): Promise<TriedAnswer> {
  return send<TriedAnswer>({ method: "POST", address: placeOf(path, "predict"), body: { rows: [row] } });
}

/** The path that a page knows ends in MLflow's name of a call. */
function placeOf(path: string, name: string): string {
  return path.replace(/[^/]*$/, name);
}

function typeOf(types: readonly string[]): TriedColumn["type"] {
  return types.includes("number")
    ? "number"
    : types.includes("integer")
      ? "integer"
      : types.includes("boolean")
        ? "boolean"
        : "string";
}
