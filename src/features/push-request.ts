import { z } from "zod";
import { pushInvalid, requestInvalid } from "./errors.ts";
import { parseFeastJson } from "./feast-json.ts";

export const PUSH_MODES = ["online", "offline", "online_and_offline"] as const;
export type PushMode = (typeof PUSH_MODES)[number];

/** Columns of one length. */
export interface PushedFrame {
  readonly columns: ReadonlyMap<string, readonly unknown[]>;
  readonly rowCount: number;
}

/** What a request pushes: to all views of a push source, or to one view. */
export interface FeaturePush {
  readonly target: { readonly source: string } | { readonly view: string };
  readonly frame: PushedFrame;
  readonly to: PushMode;
}

/** Larger pushes are files: a dataset takes them. */
const MOST_ROWS = 50_000;

const frame = z.record(z.string(), z.array(z.unknown()));
const pushSchema = z.object({
  push_source_name: z.string(),
  df: frame,
  to: z.string().default("online"),
  allow_registry_cache: z.boolean().optional(),
  transform_on_write: z.boolean().optional(),
});
const writeSchema = z.object({
  feature_view_name: z.string(),
  df: frame,
  allow_registry_cache: z.boolean().optional(),
  transform_on_write: z.boolean().optional(),
});

/** `POST /push` of Feast's feature server. @throws FEATURES_REQUEST_INVALID, FEATURES_PUSH_INVALID */
export function parsePush(body: string): FeaturePush {
  const { push_source_name: source, df, to } = parseAs(pushSchema, body);
  const mode = PUSH_MODES.find((one) => one === to);
  if (mode === undefined)
    throw pushInvalid({ place: "to", found: JSON.stringify(to.slice(0, 40)), expected: PUSH_MODES.join(", ") });
  return { target: { source }, frame: frameOf(df), to: mode };
}

/** `POST /write-to-online-store`, which Feast's client calls. @throws as {@link parsePush} */
export function parseOnlineWrite(body: string): FeaturePush {
  const { feature_view_name: view, df } = parseAs(writeSchema, body);
  return { target: { view }, frame: frameOf(df), to: "online" };
}

function parseAs<Value>(schema: z.ZodType<Value>, body: string): Value {
  const checked = schema.safeParse(parseFeastJson(body));
  if (checked.success) return checked.data;
  throw requestInvalid({
    found: checked.error.issues
      .slice(0, 5)
      .map(({ path, message }) => `${path.join(".") || "body"}: ${message}`)
      .join("; "),
    expected: '{"push_source_name": "NAME", "df": {"column": [values]}, "to": "online"}',
  });
}

function frameOf(df: z.infer<typeof frame>): PushedFrame {
  const columns = new Map(Object.entries(df));
  const [first] = columns;
  const rowCount = first?.[1].length ?? 0;
  for (const [name, values] of columns)
    if (values.length !== rowCount)
      throw pushInvalid({
        place: "df",
        found: `"${first?.[0]}" has ${rowCount} values, "${name}" has ${values.length}`,
        expected: "lists of one length",
      });
  if (rowCount > MOST_ROWS)
    throw pushInvalid({ place: "df", found: `it has ${rowCount} rows`, expected: `at most ${MOST_ROWS} at once` });
  return { columns, rowCount };
}
