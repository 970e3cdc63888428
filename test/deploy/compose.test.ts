// What Compose makes of deploy/compose.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { parse } from "yaml";
import { z } from "zod";
import { readServerRoles } from "#server";
import { testPython } from "../setup/python-environment.ts";

const FOLDER = resolve(import.meta.dirname, "../../deploy/compose");
const COMPOSE = join(FOLDER, "compose.yaml");

const serviceSchema = z.looseObject({
  image: z.string(),
  command: z.array(z.string()).optional(),
  read_only: z.boolean().optional(),
  user: z.string().optional(),
  cap_drop: z.array(z.string()).optional(),
  volumes: z.array(z.string()).optional(),
  ports: z.array(z.string()).optional(),
  healthcheck: z.looseObject({}).optional(),
});
const composeSchema = z.looseObject({
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.unknown()),
  configs: z.record(z.string(), z.looseObject({ content: z.string() })),
});

async function readCompose(): Promise<z.infer<typeof composeSchema>> {
  return composeSchema.parse(parse(await readFile(COMPOSE, "utf8"), { merge: true }));
}

describe("the compose file", () => {
  it("is one by the schema of the Compose specification", async (t) => {
    const found = await testPython(["check-jsonschema==0.39.0"]);
    if ("problem" in found) return t.skip(found.problem);
    const words = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE];
    await promisify(execFile)(found.python, words);
  });

  it("asks for what the example of its environment names, and has no secret in itself", async () => {
    const text = await readFile(COMPOSE, "utf8");
    const example = await readFile(join(FOLDER, ".env.example"), "utf8");
    const asked = new Set([...text.matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, name = ""]) => name));
    const named = [...example.matchAll(/^(\w+)=/gm)].map(([, name = ""]) => name);
    assert.deepEqual([...asked].toSorted(), named.toSorted());
    for (const name of ["POSTGRES_PASSWORD", "BUCKET_SECRET", "ESTEIRA_SECRETS_KEY"]) {
      assert.match(example, new RegExp(`^${name}=$`, "m"));
      assert.doesNotMatch(text, new RegExp(`\\$\\{${name}(?!:\\?)`), `${name} must be asked for`);
    }
  });

  it("gives every role to a server, and lets no server write its image or be root", async () => {
    const { services } = await readCompose();
    const servers = Object.values(services).filter(({ command }) => command?.[1] === "up");
    const roles = servers.flatMap(({ command = [] }) => readServerRoles(command[command.indexOf("--roles") + 1]));
    assert.deepEqual(roles.toSorted(), ["api", "engine", "page", "serving"]);
    for (const { read_only: isReadOnly, user, cap_drop: dropped, ports, healthcheck } of servers) {
      assert.equal(isReadOnly, true);
      assert.match(user ?? "", /^[1-9]\d*:[1-9]\d*$/);
      assert.deepEqual(dropped, ["ALL"]);
      assert.equal(ports, undefined, "only the proxy listens outside");
      assert.notEqual(healthcheck, undefined);
    }
  });

  it("names volumes that there are, and images with a version", async () => {
    const { services, volumes } = await readCompose();
    for (const { image, volumes: mounted = [] } of Object.values(services)) {
      assert.match(image, /:[\w.-]*\d[\w.-]*$|^\$\{ESTEIRA_IMAGE/);
      for (const volume of mounted.map((each) => each.split(":")[0] ?? "").filter((name) => !name.startsWith(".")))
        assert.ok(volume in volumes, `there is no volume ${volume}`);
    }
  });
});
