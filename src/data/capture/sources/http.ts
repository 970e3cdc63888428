import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { formatQuantity, isEsteiraError, messageOf } from "#base";
import type { Problem } from "#pipeline";
import { sourceChanged, sourceEmpty, sourceQueryFailed } from "../../source-errors.ts";
import { isAsCaptured } from "../ledger.ts";
import type { CaptureDeclaration } from "../capture-declaration.ts";
import { readIdentity } from "../source-file.ts";
import { createAuthorization } from "./http-auth.ts";
import { createHttpClient, type HttpClient } from "./http-client.ts";
import type { HttpDeclaration, HttpListing } from "./http-declaration.ts";
import { readPages } from "./http-pages.ts";
import { memberAt, scalarText } from "./json-records.ts";
import type { FindHost } from "./reachable-host.ts";
import { createRecordFilter, type RecordCursor, type RecordFilter, toRecordCursor } from "./record-cursor.ts";
import type { OpenSource, Source, SourceContext, SourceReader, SourceReading } from "./source.ts";

export interface HttpDependencies {
  readonly findHost: FindHost;
  /** Values of secrets; undefined for those that are not set. */
  readonly secret: (name: string) => string | undefined;
}

const DEFAULT_PAGES = 10_000;

/** Records of a service that speaks JSON over HTTP. */
export function createHttpSource(
  declaration: HttpDeclaration,
  write: CaptureDeclaration["write"],
  dependencies: HttpDependencies,
): Source {
  const description = describeUrl(declaration.url);
  const { cursor } = declaration;
  return {
    description,
    write: cursor === undefined ? "replace" : "append",
    analyse: () => Promise.resolve({ problems: httpProblems(declaration, write), fingerprint: undefined }),
    async preview({ position }) {
      const last = cursor === undefined ? undefined : toRecordCursor(await position.cursor());
      return last === undefined
        ? `${description}: all records`
        : `${description}: records with ${cursor?.field} from ${last.value}${cursor?.lookback === undefined ? "" : ` less ${cursor.lookback}`}`;
    },
    open: (context) => Promise.resolve(openHttp(declaration, dependencies, { description, context })),
  };
}

/** Without user, parameters and fragment, any of which may be a secret. */
function describeUrl(url: string): string {
  return url.replace(/\/\/[^/@]*@/, "//").replace(/[?#].*$/s, "");
}

function openHttp(
  declaration: HttpDeclaration,
  dependencies: HttpDependencies,
  of: { readonly description: string; readonly context: SourceContext },
): OpenSource {
  let client: HttpClient | undefined;
  const source = `${of.description} (step ${of.context.step})`;
  return {
    async read(reader) {
      const last = await lastCursor(declaration, of.description, of.context);
      const { auth, headers = {}, rate, url } = declaration;
      client = await createHttpClient({
        source,
        headers,
        rate,
        findHost: dependencies.findHost,
        signal: reader.signal,
        origin: new URL(plainUrl(url)).origin,
        authorization:
          auth === undefined ? undefined : createAuthorization(auth, { source, valueOf: dependencies.secret }),
        log: (text) => reader.log(text),
      });
      const filter =
        declaration.cursor === undefined
          ? undefined
          : createRecordFilter(declaration.cursor, {
              source: of.description,
              last,
              isMerge: typeof of.context.disposition === "object",
            });
      return readRecords(declaration, { ...of, source, client, filter, last, reader });
    },
    close() {
      client?.close();
      return Promise.resolve();
    },
  };
}

/** @throws DATA_SOURCE_CHANGED */
async function lastCursor(
  { cursor }: HttpDeclaration,
  description: string,
  { position, step }: SourceContext,
): Promise<RecordCursor | undefined> {
  if (cursor === undefined) return undefined;
  const saved = await position.cursor();
  const last = toRecordCursor(saved);
  if (saved !== undefined && (last === undefined || last.source !== description || last.field !== cursor.field))
    throw sourceChanged({
      dataset: step,
      before: last === undefined ? "another kind of source" : `${last.source} by ${last.field}`,
      now: `${description} by ${cursor.field}`,
    });
  return last;
}

interface HttpReading {
  readonly description: string;
  readonly source: string;
  readonly context: SourceContext;
  readonly client: HttpClient;
  readonly filter: RecordFilter | undefined;
  readonly last: RecordCursor | undefined;
  readonly reader: SourceReader;
}

async function readRecords(declaration: HttpDeclaration, reading: HttpReading): Promise<SourceReading> {
  const { context, description, filter, reader, last } = reading;
  const path = join(reader.workFolder, "source.ndjson");
  const { taken, found } = await writeRecords(declaration, reading, path);
  const nothing = {
    files: [],
    cursor: undefined,
    moved: [],
    notes: [],
    nothingNew: `nothing new in ${description}: ${formatQuantity(found, "record")} there`,
  };
  if (taken === 0) {
    if (context.position.latest === undefined) throw sourceEmpty({ source: reading.source });
    return nothing;
  }
  const { digest } = await readIdentity(path, false);
  const { disposition, position } = context;
  const { ledger } = position;
  const isAnew = ledger.some(({ state }) => state === "anew" || state === "again");
  if (!isAnew && isAsCaptured(ledger, { digest }, disposition)) return nothing;
  const { size, mtimeMs } = await stat(path);
  return {
    ...nothing,
    files: [
      {
        path: `${description}${last === undefined ? "" : ` after ${last.value}`}`,
        absolute: path,
        sizeBytes: size,
        mtimeMs: Math.floor(mtimeMs),
        digest,
        lineFeeds: undefined,
        supersedes: [],
        format: "ndjson",
      },
    ],
    cursor: filter?.next(),
    notes: [`${description}: ${formatQuantity(found, "record")}${filter === undefined ? "" : `, ${taken} new`}`],
  };
}

async function writeRecords(
  declaration: HttpDeclaration,
  { client, filter, reader, source }: HttpReading,
  path: string,
): Promise<{ readonly taken: number; readonly found: number }> {
  const file = createWriteStream(path);
  const ended = finished(file);
  ended.catch(() => {});
  let [taken, found] = [0, 0];
  try {
    for await (const record of allRecords(declaration, { client, source, from: filter?.from })) {
      found++;
      const line = JSON.stringify(record);
      if (filter?.takes(record, line) === false) continue;
      taken++;
      if (!file.write(`${line}\n`)) await once(file, "drain");
      if (taken % 1000 === 0) reader.progress(taken, undefined, "records");
    }
    file.end();
    await ended;
    return { taken, found };
  } catch (error) {
    file.destroy();
    if (isEsteiraError(error) || reader.signal.aborted) throw error;
    throw sourceQueryFailed({ source, reason: messageOf(error) });
  }
}

interface Asking {
  readonly client: HttpClient;
  readonly source: string;
  readonly from: string | undefined;
}

/** Records of the address; with `for_each`, of that of each of its records. */
async function* allRecords(declaration: HttpDeclaration, asking: Asking): AsyncGenerator<object> {
  const { client, source, from } = asking;
  const { for_each: outer, include = {}, cursor, max_pages: maxPages = DEFAULT_PAGES } = declaration;
  const since =
    from === undefined || cursor?.param === undefined
      ? {}
      : { [cursor.param]: (cursor.as ?? "{value}").replaceAll("{value}", () => from) };
  const list = (listing: HttpListing, url: URL): ReturnType<typeof readPages> =>
    readPages(client, listing, { source, url, maxPages });
  if (outer === undefined) {
    for await (const page of list(declaration, urlOf(declaration, since))) yield* page.map(toRecord);
    return;
  }
  for await (const parents of list(outer, urlOf(outer, {})))
    for (const parent of parents) {
      const own = Object.fromEntries(
        Object.entries(include).map(([name, path]) => [name, memberAt(parent, path) ?? null]),
      );
      const url = urlOf({ ...declaration, url: fillIn(declaration.url, parent, source) }, since);
      for await (const page of list(declaration, url)) for (const record of page) yield { ...own, ...toRecord(record) };
    }
}

/** What is no object is one with a value. */
function toRecord(record: unknown): object {
  return typeof record === "object" && record !== null && !Array.isArray(record) ? record : { value: record };
}

const PLACE = /\{([^{}]+)\}/g;

function plainUrl(url: string): string {
  return url.replaceAll(PLACE, "x");
}

/** @throws DATA_SOURCE_QUERY_FAILED */
function fillIn(url: string, parent: unknown, source: string): string {
  return url.replaceAll(PLACE, (_, path: string) => {
    const value = scalarText(memberAt(parent, path));
    // Names of folders that are no names would lead elsewhere.
    if (value === undefined || value === "" || value === "." || value === "..")
      throw sourceQueryFailed({ source, reason: `a record of for_each has no ${path} to put into the address` });
    return encodeURIComponent(value);
  });
}

function urlOf({ url, params = {} }: HttpListing, more: Readonly<Record<string, string>>): URL {
  const whole = new URL(url);
  for (const [name, value] of Object.entries({ ...params, ...more })) whole.searchParams.set(name, String(value));
  return whole;
}

const SECRET_NAME =
  /^(x-)?(api|auth|access)?[-_]?(key|token|secret|password|passwd|signature)$|^authorization$|^cookie$/i;

function httpProblems(declaration: HttpDeclaration, write: CaptureDeclaration["write"]): Problem[] {
  const { cursor, for_each: outer, include, auth, headers = {} } = declaration;
  const problems: Problem[] = [];
  const add = (path: readonly string[], message: string, hint?: string): void =>
    void problems.push({ path: ["capture", "http", ...path], message, ...(hint === undefined ? {} : { hint }) });
  const secretHint = "Name a secret: auth: { bearer | basic | header | param | oauth2 }.";
  const look = (listing: HttpListing, path: readonly string[]): void => {
    const url = URL.canParse(plainUrl(listing.url)) ? new URL(plainUrl(listing.url)) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol))
      return add([...path, "url"], "expected an address such as https://api.example.org/orders");
    if (url.username !== "" || url.password !== "")
      add(
        [...path, "url"],
        "the address holds a user or password, which whoever reads the project can see",
        secretHint,
      );
    for (const name of [...url.searchParams.keys(), ...Object.keys(listing.params ?? {})])
      if (SECRET_NAME.test(name))
        add(
          [...path, url.searchParams.has(name) ? "url" : "params"],
          `the parameter ${name} looks like a secret, which whoever reads the project can see`,
          secretHint,
        );
  };
  look(declaration, []);
  if (outer !== undefined) look(outer, ["for_each"]);
  for (const name of Object.keys(headers))
    if (SECRET_NAME.test(name))
      add(
        ["headers", name],
        `the header ${name} looks like a secret, which whoever reads the project can see`,
        secretHint,
      );
  if (auth?.oauth2 !== undefined && !/^https?:\/\/[^@]*$/.test(auth.oauth2.token_url))
    add(["auth", "oauth2", "token_url"], "expected an address such as https://login.example.org/token");
  if ((outer === undefined) === (plainUrl(declaration.url) !== declaration.url))
    add(
      outer === undefined ? ["url"] : ["for_each"],
      outer === undefined
        ? "the address has a place for a field, and there is no for_each"
        : "the address has no place for a field of its records, such as {id}",
    );
  if (include !== undefined && outer === undefined)
    add(["include"], "there is no for_each whose fields could be included");
  if (cursor !== undefined) problems.push(...cursorProblems(cursor, write));
  else if (write === "append")
    problems.push({
      path: ["write"],
      message: "every run would add all records again",
      hint: "Use write: replace or { merge: KEY }, or name a cursor.",
    });
  return problems;
}

function cursorProblems(cursor: NonNullable<HttpDeclaration["cursor"]>, write: CaptureDeclaration["write"]): Problem[] {
  const at = (key: string): readonly string[] => ["capture", "http", "cursor", key];
  const problems: Problem[] = [];
  if (write === "replace")
    problems.push({
      path: ["write"],
      message: "a run would leave only the records that are new by the cursor",
      hint: "Use write: append or { merge: KEY }, or take out the cursor.",
    });
  if (cursor.as !== undefined && cursor.param === undefined)
    problems.push({ path: at("as"), message: "there is no param that could say it" });
  if (typeof write !== "object")
    for (const key of [
      ...(cursor.lookback === undefined ? [] : ["lookback"]),
      ...(cursor.missing === "include" ? ["missing"] : []),
    ])
      problems.push({
        path: at(key),
        message: "records that were read before are read again, and would be there twice",
        hint: "Say by what they are the same: write: { merge: KEY }.",
      });
  return problems;
}
