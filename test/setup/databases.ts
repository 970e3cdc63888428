import { createConnection } from "mysql2/promise";
import { messageOf } from "#base";

/** Servers that tests read as sources, where they answer. */
export const TEST_POSTGRES: string = process.env["ESTEIRA_TEST_POSTGRES"] ?? "postgres://root@127.0.0.1:5432/test";
export const TEST_MYSQL: string = process.env["ESTEIRA_TEST_MYSQL"] ?? "mysql://root@127.0.0.1:3306/test";

export const TEST_NATS: string = process.env["ESTEIRA_TEST_NATS"] ?? "127.0.0.1:4222";

/** Why tests that need MySQL or MariaDB cannot run; false where one answers. */
export async function mysqlProblem(): Promise<string | false> {
  try {
    const connection = await createConnection({ uri: TEST_MYSQL, connectTimeout: 3000 });
    await connection.end();
    return false;
  } catch (error) {
    return `no MySQL answers at ESTEIRA_TEST_MYSQL: ${messageOf(error)}`;
  }
}
