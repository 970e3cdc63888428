/** Services that run as processes of this machine instead of images, with the commands that they need. */
export const SERVICE_KINDS = {
  postgres: { port: 5432, commands: ["postgres", "initdb"] },
  redis: { port: 6379, commands: ["redis-server"] },
  mysql: { port: 3306, commands: ["mysqld"] },
} as const;
export type ServiceKind = keyof typeof SERVICE_KINDS;

const IMAGES: Readonly<Record<string, ServiceKind>> = {
  postgres: "postgres",
  postgis: "postgres",
  pgvector: "postgres",
  timescaledb: "postgres",
  redis: "redis",
  valkey: "redis",
  mysql: "mysql",
  mariadb: "mysql",
};

/** What an image would be here: `postgres:16-alpine`, `docker.io/library/redis`. Undefined: nothing. */
export function serviceKindOf(image: string): ServiceKind | undefined {
  const name =
    image
      .replace(/@sha256:.*$/, "")
      .split("/")
      .at(-1)
      ?.replace(/:.*$/, "") ?? "";
  return Object.hasOwn(IMAGES, name) ? IMAGES[name] : undefined;
}

/** Commands of servers are often beside the search path: Debian keeps each version of PostgreSQL apart. */
export const SERVER_FOLDERS = [
  "/usr/lib/postgresql/*/bin",
  "/usr/pgsql-*/bin",
  "/usr/local/pgsql/bin",
  "/usr/sbin",
  "/usr/local/sbin",
] as const;
