/** Servers that tests read as sources, where they answer. */
export const TEST_POSTGRES: string = process.env["ESTEIRA_TEST_POSTGRES"] ?? "postgres://root@127.0.0.1:5432/test";
export const TEST_MYSQL: string = process.env["ESTEIRA_TEST_MYSQL"] ?? "mysql://root@127.0.0.1:3306/test";
