import { DatabaseSync } from "node:sqlite";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { createConnection } from "mysql2/promise";
import pg from "pg";
import { describeDatabase } from "../conformance/database.ts";
import { mysqlProblem, TEST_MYSQL, TEST_POSTGRES } from "../setup/databases.ts";

describeDatabase("PostgreSQL", async () => {
  const client = new pg.Client(TEST_POSTGRES);
  await client.connect();
  const schema = `capture_${Math.random().toString(36).slice(2)}`;
  await client.query(`create schema ${schema}; set search_path = ${schema}; set timezone = 'UTC'`);
  after(async () => {
    await client.query(`drop schema ${schema} cascade`);
    await client.end();
  });
  return {
    run: async (sql) => void (await client.query(sql)),
    capture: ({ table, query, ...what }) => ({
      postgres: {
        secret: "SHOP",
        ...(table === undefined || query !== undefined ? {} : { table: `${schema}.${table}` }),
        ...(query === undefined ? {} : { query: query.replaceAll(/from (\S+|".*")/g, `from ${schema}.$1`) }),
        ...what,
      },
    }),
    secret: (name) => (name === "SHOP" ? TEST_POSTGRES : undefined),
    create: (table) => `create table ${table} (id int primary key, name text, changed timestamp)`,
    hosts: ["127.0.0.1"],
    quote: (name) => `"${name.replaceAll('"', '""')}"`,
  };
});

describeDatabase(
  "MySQL",
  async () => {
    const connection = await createConnection({ uri: TEST_MYSQL, charset: "utf8mb4" });
    const name = `capture_${Math.random().toString(36).slice(2)}`;
    await connection.query(`create database ${name}`);
    await connection.query(`use ${name}`);
    after(async () => {
      await connection.query(`drop database ${name}`);
      await connection.end();
    });
    const address = new URL(TEST_MYSQL);
    address.pathname = name;
    return {
      run: async (sql) => void (await connection.query(sql)),
      capture: ({ table, query, ...what }) => ({
        mysql: { secret: "SHOP", ...(query === undefined ? { table } : { query }), ...what },
      }),
      secret: (secret) => (secret === "SHOP" ? address.href : undefined),
      create: (table) =>
        `create table ${table} (id int primary key, name text, changed datetime) character set utf8mb4`,
      hosts: ["127.0.0.0/8"],
      quote: (text) => `\`${text.replaceAll("`", "``")}\``,
    };
  },
  { skip: await mysqlProblem() },
);

describeDatabase("SQLite", async () => {
  const folder = await mkdtemp(join(tmpdir(), "esteira-sqlite-"));
  const file = join(folder, "shop.db");
  const database = new DatabaseSync(file);
  database.exec("pragma journal_mode = wal");
  after(() => database.close());
  return {
    run: async (sql) => database.exec(sql),
    capture: ({ table, query, ...what }) => ({
      sqlite: { file, ...(query === undefined ? { table } : { query }), ...what },
    }),
    secret: () => undefined,
    create: (table) => `create table ${table} (id integer primary key, name text, changed datetime)`,
    hosts: [],
    quote: (name) => `"${name.replaceAll('"', '""')}"`,
    folders: [folder],
  };
});
