/* oxlint-disable no-await-in-loop -- what one connection asks is answered in its order */
import { type EsteiraError, isEsteiraError, messageOf } from "#base";
import { postgresReadOnly, postgresRowsLimited, postgresStatementMissing, postgresUnsupported } from "../errors.ts";
import { type ClientMessage, FieldReader, int16, int32, message, report, text } from "./protocol.ts";
import { RowWriter } from "./row-writer.ts";
import type { OpenSelect, Selects } from "./selects.ts";
import { copyLine, type CopyOptions, readStatement, splitStatements, type Statement } from "./statements.ts";
import { type ColumnType, columnTypeOf, parameterText, parameterTypeOf } from "./postgres-type.ts";

/** What one query may take. */
export interface QueryLimits {
  readonly seconds: number;
  readonly rows: number;
}

/** One connection after its start. */
export interface Session {
  /** Answers one message; never rejects but where the connection is gone. `"end"`: the client is done. */
  answer(asked: ClientMessage): Promise<"end" | undefined>;
  /** Stops the query that runs. */
  cancel(): void;
  close(): void;
}

export interface SessionFacts {
  readonly selects: Selects;
  readonly limits: QueryLimits;
  /** What SHOW says, by lower-case name; SET changes it. */
  readonly settings: Map<string, string>;
  /** Sends, and waits while the client is slow. */
  readonly send: (bytes: Buffer) => Promise<void>;
}

interface Prepared {
  readonly statement: Statement;
  readonly declared: readonly number[];
  readonly select: OpenSelect | undefined;
  readonly columns: readonly NamedColumn[];
}

interface NamedColumn {
  readonly name: string;
  readonly type: ColumnType;
}

interface Portal {
  readonly prepared: Prepared;
  readonly parameters: readonly (string | null)[];
  readonly isBinary: readonly boolean[];
  /** While the client has fetched a part. */
  rows?: Cells | undefined;
  /** Stops its query. */
  running?: AbortController | undefined;
  sent: number;
}

type Cells = AsyncGenerator<readonly (string | null)[], void, undefined>;

const TEXT_OID = 25;
const ROWS_IN_A_SEND = 2_000;
const SHOWN_COLUMN = columnTypeOf("VARCHAR");

/** Speaks the simple and the extended query protocol. Source: PostgreSQL manual, "Frontend/Backend Protocol". */
export function openSession(facts: SessionFacts): Session {
  return new PostgresSession(facts);
}

class PostgresSession implements Session {
  readonly #facts: SessionFacts;
  readonly #prepared = new Map<string, Prepared>();
  readonly #portals = new Map<string, Portal>();
  #status: "I" | "T" | "E" = "I";
  /** After an error of the extended protocol, until Sync. */
  #isSkipping = false;
  #running: AbortController | undefined;

  constructor(facts: SessionFacts) {
    this.#facts = facts;
  }

  cancel(): void {
    this.#running?.abort();
  }

  close(): void {
    this.cancel();
    for (const name of this.#portals.keys()) this.#forget(name);
    for (const { select } of this.#prepared.values()) select?.close();
    this.#facts.selects.close();
  }

  async answer(asked: ClientMessage): Promise<"end" | undefined> {
    if (asked.type === "X") return "end";
    if (this.#isSkipping && asked.type !== "S") return undefined;
    this.#running = new AbortController();
    try {
      await this.#dispatch(asked);
    } catch (error) {
      if (this.#status === "T") this.#status = "E";
      await this.#facts.send(toReport(error));
      if (asked.type === "Q") await this.#ready();
      else this.#isSkipping = true;
    }
    return undefined;
  }

  async #dispatch({ type, body }: ClientMessage): Promise<void> {
    const fields = new FieldReader(body);
    switch (type) {
      case "Q":
        return this.#simple(fields.text());
      case "P":
        return this.#parse(fields);
      case "B":
        return this.#bind(fields);
      case "D":
        return this.#describe(fields.byte(), fields.text());
      case "E":
        return this.#execute(fields.text(), fields.int32());
      case "C":
        return this.#closeNamed(fields.byte(), fields.text());
      case "H":
        return undefined;
      case "S":
        this.#isSkipping = false;
        if (this.#status !== "T") for (const name of this.#portals.keys()) this.#forget(name);
        return this.#ready();
      default:
        throw postgresUnsupported({ what: `the message ${JSON.stringify(type)} of the protocol` });
    }
  }

  async #ready(): Promise<void> {
    await this.#facts.send(message("Z", Buffer.from(this.#status)));
  }

  async #simple(sql: string): Promise<void> {
    const statements = splitStatements(sql);
    if (statements.length === 0) await this.#facts.send(message("I"));
    for (const each of statements) {
      const prepared = await this.#prepare(each, []);
      try {
        const { columns } = prepared;
        if (columns.length > 0 && prepared.statement.kind !== "copy")
          await this.#facts.send(rowDescription(columns, []));
        await this.#run({ prepared, parameters: [], isBinary: columns.map(() => false), sent: 0 }, 0);
      } finally {
        prepared.select?.close();
      }
    }
    await this.#ready();
  }

  async #prepare(sql: string, declared: readonly number[]): Promise<Prepared> {
    const statement = readStatement(sql);
    if (statement.kind === "refused") throw postgresReadOnly({ verb: statement.verb });
    if (statement.kind === "show")
      return { statement, declared, select: undefined, columns: [{ name: statement.name, type: SHOWN_COLUMN }] };
    if (statement.kind !== "select" && statement.kind !== "copy")
      return { statement, declared, select: undefined, columns: [] };
    const select = await this.#facts.selects.prepare(statement.text, declared.map(parameterTypeOf));
    const columns = select.columns.map(({ name, type }) => ({ name, type: columnTypeOf(type) }));
    return { statement, declared, select, columns };
  }

  async #parse(fields: FieldReader): Promise<void> {
    const name = fields.text();
    const prepared = await this.#prepare(fields.text(), fields.int32s());
    this.#prepared.get(name)?.select?.close();
    this.#prepared.set(name, prepared);
    await this.#facts.send(message("1"));
  }

  async #bind(fields: FieldReader): Promise<void> {
    const name = fields.text();
    const prepared = this.#find(fields.text());
    const formats = fields.int16s();
    const values = fields.values();
    const results = fields.int16s();
    const isBinary = (of: readonly number[], index: number): boolean =>
      (of.length === 1 ? of[0] : (of[index] ?? 0)) === 1;
    const oids = parameterOids(prepared);
    this.#forget(name);
    this.#portals.set(name, {
      prepared,
      parameters: values.map((value, index) =>
        parameterText(value, { oid: oids[index] ?? TEXT_OID, isBinary: isBinary(formats, index) }),
      ),
      isBinary: prepared.columns.map((_, index) => isBinary(results, index)),
      sent: 0,
    });
    await this.#facts.send(message("2"));
  }

  async #describe(kind: string, name: string): Promise<void> {
    if (kind === "S") {
      const prepared = this.#find(name);
      const oids = parameterOids(prepared);
      await this.#facts.send(message("t", int16(oids.length), ...oids.map(int32)));
      return this.#facts.send(prepared.columns.length === 0 ? message("n") : rowDescription(prepared.columns, []));
    }
    const { prepared, isBinary } = this.#findPortal(name);
    return this.#facts.send(prepared.columns.length === 0 ? message("n") : rowDescription(prepared.columns, isBinary));
  }

  #execute(name: string, atMost: number): Promise<void> {
    return this.#run(this.#findPortal(name), atMost);
  }

  async #closeNamed(kind: string, name: string): Promise<void> {
    if (kind === "S") this.#deallocate(name);
    else this.#forget(name);
    await this.#facts.send(message("3"));
  }

  #deallocate(name: string): void {
    this.#prepared.get(name)?.select?.close();
    this.#prepared.delete(name);
  }

  #find(name: string): Prepared {
    const found = this.#prepared.get(name);
    if (found === undefined) throw postgresStatementMissing({ what: "statement", name });
    return found;
  }

  #findPortal(name: string): Portal {
    const found = this.#portals.get(name);
    if (found === undefined) throw postgresStatementMissing({ what: "portal", name });
    return found;
  }

  /** A result that is not read to its end is let go of, with its time limit. */
  #forget(name: string): void {
    void this.#portals.get(name)?.rows?.return();
    this.#portals.delete(name);
  }

  async #run(portal: Portal, atMost: number): Promise<void> {
    const { statement } = portal.prepared;
    const { send, settings } = this.#facts;
    switch (statement.kind) {
      case "select":
        return this.#within(portal, () => this.#sendRows(portal, atMost));
      case "copy":
        return this.#within(portal, () => this.#sendCopy(portal, statement.options));
      case "show": {
        const writer = new RowWriter([SHOWN_COLUMN], portal.isBinary);
        writer.add([settings.get(statement.name.toLowerCase().replace(/\s+/g, "_")) ?? ""]);
        return send(Buffer.concat([writer.take(), message("C", text("SHOW"))]));
      }
      case "set":
        settings.set(statement.name, statement.value);
        return send(message("C", text("SET")));
      case "deallocate":
        for (const name of statement.name === undefined ? this.#prepared.keys() : [statement.name])
          this.#deallocate(name);
        return send(message("C", text("DEALLOCATE")));
      case "settled":
        if (statement.effect === "begin") this.#status = "T";
        if (statement.effect === "end") this.#status = "I";
        return send(message("C", text(statement.tag)));
      case "empty":
        return send(message("I"));
      case "refused":
        throw postgresReadOnly({ verb: statement.verb });
    }
  }

  /** Gives a query its time, each time that rows of it are asked for, and lets it be stopped meanwhile. */
  async #within<Result>(portal: Portal, work: () => Promise<Result>): Promise<Result> {
    const { limits, settings } = this.#facts;
    const running = (portal.running ??= this.#running ?? new AbortController());
    this.#running = running;
    const seconds = Math.min(limits.seconds, secondsOf(settings.get("statement_timeout")));
    const timer = setTimeout(() => running.abort(), seconds * 1000);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  }

  async #sendRows(portal: Portal, atMost: number): Promise<void> {
    const { send } = this.#facts;
    const writer = new RowWriter(
      portal.prepared.columns.map(({ type }) => type),
      portal.isBinary,
    );
    portal.rows ??= this.#open(portal);
    let inThisCall = 0;
    while (atMost === 0 || inThisCall < atMost) {
      const { value, done } = await portal.rows.next();
      if (done === true) {
        portal.rows = undefined;
        return send(Buffer.concat([writer.take(), message("C", text(`SELECT ${portal.sent}`))]));
      }
      writer.add(value);
      portal.sent++;
      inThisCall++;
      if (inThisCall % ROWS_IN_A_SEND === 0) await send(writer.take());
    }
    return send(Buffer.concat([writer.take(), message("s")]));
  }

  async #sendCopy(portal: Portal, options: CopyOptions): Promise<void> {
    const { send } = this.#facts;
    const { columns } = portal.prepared;
    await send(message("H", Buffer.from([0]), int16(columns.length), ...columns.map(() => int16(0))));
    const line = (cells: readonly (string | null)[]): Buffer => message("d", Buffer.from(copyLine(cells, options)));
    if (options.header) await send(line(columns.map(({ name }) => name)));
    let waiting: Buffer[] = [];
    for await (const cells of this.#open(portal)) {
      waiting.push(line(cells));
      portal.sent++;
      if (waiting.length < ROWS_IN_A_SEND) continue;
      await send(Buffer.concat(waiting));
      waiting = [];
    }
    await send(Buffer.concat([...waiting, message("c"), message("C", text(`COPY ${portal.sent}`))]));
  }

  /** Rows, no more than an answer may have. */
  async *#open({ prepared, parameters, running }: Portal): Cells {
    const { limits } = this.#facts;
    let count = 0;
    for await (const { rowCount, columns } of prepared.select?.run(parameters, running?.signal) ?? []) {
      count += rowCount;
      if (count > limits.rows) throw postgresRowsLimited({ rows: limits.rows });
      for (let row = 0; row < rowCount; row++) yield columns.map((cells) => cells[row] ?? null);
    }
  }
}

/** `0` is no limit of the client's; without a unit it is milliseconds. */
function secondsOf(setting: string | undefined): number {
  const [, amount = "0", unit = "ms"] = /^(\d+)\s*(ms|s|min|h)?$/.exec(setting ?? "") ?? [];
  const milliseconds = Number(amount) * ({ ms: 1, s: 1000, min: 60_000, h: 3_600_000 }[unit] ?? 1);
  return milliseconds === 0 ? Infinity : milliseconds / 1000;
}

function parameterOids({ declared, select }: Prepared): readonly number[] {
  return (select?.parameterTypes ?? []).map((type, index) => {
    const named = declared[index] ?? 0;
    return named === 0 ? columnTypeOf(type).oid : named;
  });
}

function rowDescription(columns: readonly NamedColumn[], isBinary: readonly boolean[]): Buffer {
  return message(
    "T",
    int16(columns.length),
    ...columns.map(({ name, type }, index) =>
      Buffer.concat([
        text(name),
        int32(0),
        int16(0),
        int32(type.oid),
        int16(type.size),
        int32(type.modifier),
        int16(isBinary[index] === true ? 1 : 0),
      ]),
    ),
  );
}

/** SQLSTATE of our errors. Source: PostgreSQL manual, appendix A. */
const STATES: Readonly<Record<string, string>> = {
  DATA_DATASET_UNKNOWN: "42P01",
  DATA_QUERY_FAILED: "42601",
  DATA_QUERY_CANCELLED: "57014",
  DATA_MEMORY_EXHAUSTED: "53200",
  SERVER_POSTGRES_UNSUPPORTED: "0A000",
  SERVER_POSTGRES_READ_ONLY: "25006",
  SERVER_POSTGRES_PROTOCOL: "08P01",
  SERVER_POSTGRES_ROWS_LIMITED: "54000",
  SERVER_POSTGRES_STATEMENT_MISSING: "26000",
  SERVER_POSTGRES_DATABASE_UNKNOWN: "3D000",
  SERVER_POSTGRES_FORBIDDEN: "42501",
  SERVER_POSTGRES_CONNECTIONS_LIMITED: "53300",
  ACCESS_UNAUTHENTICATED: "28P01",
};

/** What DuckDB says of a query that it refuses, by how it begins. */
const QUERY_STATES: readonly (readonly [RegExp, string])[] = [
  [/Referenced (?:column|table)|does not have a column/, "42703"],
  [/Catalog Error: Table/, "42P01"],
  [/Function with name|No function matches/, "42883"],
  [/Conversion Error|Invalid Input Error/, "22P02"],
  [/Out of Range/, "22003"],
];

function stateOf({ code, message: told }: EsteiraError): string {
  const found = code === "DATA_QUERY_FAILED" ? QUERY_STATES.find(([pattern]) => pattern.test(told)) : undefined;
  return found?.[1] ?? STATES[code] ?? "XX000";
}

/** An error as clients read it; what is not ours is told without its inside. */
export function toReport(error: unknown, severity: "ERROR" | "FATAL" = "ERROR"): Buffer {
  if (isEsteiraError(error))
    return report("E", {
      severity,
      state: stateOf(error),
      message: error.message,
      hint: error.hint,
    });
  return report("E", { severity, state: "XX000", message: `internal error: ${messageOf(error)}` });
}
