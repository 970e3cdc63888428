import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { createPostgresSchema, storeKinds, temporaryFolder } from "../setup/stores.ts";

interface Report {
  readonly isWell: boolean;
  readonly findings: readonly {
    readonly name: string;
    readonly state: "ok" | "warning" | "failure";
    readonly message: string;
    readonly cure?: string;
  }[];
}

async function examine(
  text: string,
  folder?: string,
): Promise<{ code: number | null; report: Report; folder: string }> {
  const place = folder ?? (await temporaryFolder());
  await writeFile(join(place, "esteira.yaml"), text);
  const { code, stdout, stderr } = await runEsteira(place, ["doctor", "--json"]);
  assert.notEqual(stdout, "", stderr);
  return { code, report: JSON.parse(stdout) as Report, folder: place };
}

const stateOf = ({ findings }: Report, name: string) => findings.find((each) => each.name === name)?.state;

describe("esteira doctor", () => {
  for (const kind of storeKinds)
    it(`finds a store well, and warns while no user exists (${kind})`, async () => {
      const text =
        kind === "sqlite" ? "name: p\n" : `name: p\nstore: { metadata: "${await createPostgresSchema()}" }\n`;
      const folder = await temporaryFolder();
      await writeFile(join(folder, "esteira.yaml"), text);
      assert.equal((await runEsteira(folder, ["user", "list"])).code, 0);
      const { code, report } = await examine(text, folder);
      // A database may really be set to lose what it acknowledged: then that is what is said.
      const failed = report.findings.filter(({ state }) => state === "failure").map(({ name }) => name);
      assert.deepEqual([code, failed], report.isWell ? [0, []] : [1, ["durability"]], JSON.stringify(report));
      if (kind === "sqlite") assert.equal(report.isWell, true);
      for (const name of [
        "versions",
        "project",
        "file modes",
        "file system",
        "python",
        "database",
        "clock",
        "leases",
        "verification",
        "unreferenced files",
      ])
        assert.equal(stateOf(report, name), "ok", `${name}: ${JSON.stringify(report)}`);
      assert.equal(stateOf(report, "users"), "warning");
      for (const { state, cure } of report.findings) assert.equal(cure !== undefined, state !== "ok");
    });

  it("says what stands in the way of ports", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    after(() => taken.close());
    const { port } = taken.address() as AddressInfo;
    const { report } = await examine(`name: p\nsql: { port: ${port}, host: 0.0.0.0 }\n`);
    const found = report.findings.filter(({ name }) => name === "sql port").map(({ message }) => message);
    // Where a server of this machine answers, the port may be its own.
    const isUp = report.findings.some(({ message }) => message.startsWith("a server answers on"));
    if (!isUp) assert.match(found.shift() ?? "", new RegExp(`another program listens on ${port}`));
    assert.equal(found.length, 1, JSON.stringify(report));
    assert.match(found[0] ?? "", /unencrypted/);
  });

  it("works where esteira.yaml is broken, and names its mistake", async () => {
    const { code, report } = await examine("name: p\nstroe: {}\n");
    assert.equal(code, 1);
    assert.equal(stateOf(report, "versions"), "ok");
    assert.match(report.findings.find(({ name }) => name === "project")?.message ?? "", /stroe/);
  });

  it("works where the database is down, and makes no store", async () => {
    const { code, report, folder } = await examine(
      'name: p\nstore: { metadata: "postgres://nobody@127.0.0.1:1/none" }\n',
    );
    assert.equal(code, 1);
    assert.deepEqual([stateOf(report, "database"), stateOf(report, "store")], ["failure", "warning"]);
    assert.deepEqual(await readdir(folder), ["esteira.yaml"]);
    assert.match((await runEsteira(folder, ["doctor"])).stdout, /✖ database: /);
  });
});
