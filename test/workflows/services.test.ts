// Services as processes of this machine, asked by the steps as on GitHub.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { findCommand } from "../../src/workflows/runner/processes.ts";
import { SERVER_FOLDERS } from "../../src/workflows/service-images.ts";
import { createRepository } from "./repository.ts";

const has = (command: string): boolean => findCommand(command, process.env["PATH"] ?? "", SERVER_FOLDERS) !== undefined;
const missing = (...commands: string[]): string | false =>
  commands.every(has) ? false : `this machine lacks ${commands.filter((one) => !has(one)).join(", ")}`;

describe("services of a job", async () => {
  const repository = await createRepository({
    postgres: `on: push
jobs:
  a:
    runs-on: ubuntu-latest
    services:
      db:
        image: postgres:16-alpine
        env: { POSTGRES_USER: ana, POSTGRES_PASSWORD: "it's secret", POSTGRES_DB: shop }
        ports: ["5432"]
        options: --health-cmd pg_isready --health-interval 10s
    steps:
      - env: { PGPASSWORD: "it's secret" }
        run: |
          psql -h 127.0.0.1 -p \${{ job.services.db.ports['5432'] }} -U ana shop -Atc "select 'answer=' || 6 * 7, current_user"
          ! PGPASSWORD=wrong psql -h localhost -p \${{ job.services.db.ports[5432] }} -U ana shop -c "select 1"
`,
    redis: `on: push
jobs:
  a:
    runs-on: ubuntu-latest
    services: { cache: { image: "redis:7", ports: ["46379:6379"] } }
    steps:
      - run: redis-cli -p 46379 set k v && test "$(redis-cli -h localhost -p 46379 get k)" = v
`,
    mysql: `on: push
jobs:
  a:
    runs-on: ubuntu-latest
    services:
      mysql:
        image: mysql:8
        env: { MYSQL_ROOT_PASSWORD: root, MYSQL_DATABASE: shop, MYSQL_USER: rui, MYSQL_PASSWORD: own }
        ports: ["3306"]
    steps:
      - run: |
          mysql --no-defaults -h 127.0.0.1 -P \${{ job.services.mysql.ports['3306'] }} -u root -proot -Ne "select concat('root=', 6 * 7)"
          mysql --no-defaults -h 127.0.0.1 -P \${{ job.services.mysql.ports['3306'] }} -u rui -pown shop -e "create table t (n int)"
`,
  });
  const succeeds = async (name: string): Promise<string> => {
    const ended = await repository.run(name);
    const log = await ended.log("a");
    assert.equal(ended.status, "succeeded", `${JSON.stringify(ended.steps.map(({ error }) => error ?? null))}\n${log}`);
    return log;
  };

  it("PostgreSQL, with its user, password and database", { skip: missing("postgres", "initdb", "psql") }, async () => {
    assert.match(await succeeds("postgres"), /answer=42\|ana/);
  });
  it("Redis, on the port that is asked for", { skip: missing("redis-server", "redis-cli") }, async () => {
    await succeeds("redis");
    const left = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
    assert.doesNotMatch(left, /redis-server.*46379/);
  });
  it("MySQL or MariaDB, with root, a user and a database", { skip: missing("mysqld", "mysql") }, async () => {
    assert.match(await succeeds("mysql"), /root=42/);
  });
});
