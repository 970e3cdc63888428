import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { findProjectFolder, loadProjectConfig, readSettings, toLanguage } from "#config";
import { temporaryFolder } from "../setup/stores.ts";

async function project(text: string): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, "esteira.yaml"), text);
  return folder;
}

describe("esteira.yaml", () => {
  it("is found from a folder below it", async () => {
    const folder = await project("name: flights\n");
    await mkdir(join(folder, "a/b"), { recursive: true });
    assert.equal(await findProjectFolder(join(folder, "a/b")), folder);
  });

  it("fills in defaults", async () => {
    const folder = await project(
      "name: flights\nenvironments:\n  staging:\n  production: { approvals: 1, bind: source }\n",
    );
    const config = await loadProjectConfig(folder);
    assert.equal(config.metadataAddress, join(folder, ".esteira/metadata.sqlite"));
    const others = { sandbox: false, signed: false, reviewers: undefined, freeze: [] };
    assert.deepEqual(config.environments, [
      { name: "staging", approvals: 0, bind: "version", ...others },
      { name: "production", approvals: 1, bind: "recipe", ...others },
    ]);
    assert.equal(config.packaging.limit, 2 ** 30);
  });

  it("reads the rules of an environment, and refuses those that nobody could keep", async () => {
    const read = async (rules: string): Promise<object | undefined> =>
      (await loadProjectConfig(await project(`name: p\nenvironments: { production: { ${rules} } }\n`))).environments[0];
    const found = await read(
      "reviewers: [rui, eva, rui], freeze: [{ from: 2026-12-20, to: 2026-12-31, reason: audit }]",
    );
    assert.deepEqual(found, {
      name: "production",
      approvals: 0,
      bind: "version",
      sandbox: false,
      signed: false,
      reviewers: ["eva", "rui"],
      freeze: [{ from: "2026-12-20T00:00:00.000Z", to: "2027-01-01T00:00:00.000Z", reason: "audit" }],
    });
    await assert.rejects(read("approvals: 2, reviewers: [rui]"), /fewer reviewers than approvals/);
    await assert.rejects(read("freeze: [{ from: 2026-12-20, to: 2026-12-01 }]"), /ends after it begins/);
    await assert.rejects(read("freeze: [{ from: 2026-13-45, to: 2026-12-01 }]"), /there is no such day/);
  });

  it("bounds the memory of queries, not below what they need", async () => {
    const config = await loadProjectConfig(await project("name: p\ndata: { memory: 1.5 GiB }\n"));
    assert.equal(config.data.memory, 1.5 * 2 ** 30);
    await assert.rejects(loadProjectConfig(await project("name: p\ndata: { memory: 100 MiB }\n")), /at least 256 MiB/);
  });

  it("reports every mistake with its place and the nearest key", async () => {
    const folder = await project("name: Flights!\nenviroments: {}\npackaging: { limit: 1 GB }\n");
    await assert.rejects(loadProjectConfig(folder), (error: Error) => {
      assert.match(error.message, /3 mistakes/);
      assert.match(error.message, /esteira.yaml:1:7 .*a name starts with a letter/);
      assert.match(error.message, /2:1 .*"enviroments"\n.*"environments"/);
      assert.match(error.message, /3:21 .*such as "1 GiB"/);
      return true;
    });
  });

  it("says where it looked when there is none", async () => {
    await assert.rejects(findProjectFolder(await temporaryFolder()), { code: "CONFIG_PROJECT_MISSING" });
  });
});

describe("settings", () => {
  it("choose the language of the locale", () => {
    assert.deepEqual(["pt_BR.UTF-8", "pt_PT", "en_US", "C", undefined].map(toLanguage), [
      "pt-BR",
      "pt-BR",
      "en",
      "en",
      "en",
    ]);
  });

  it("keeps passwords from those who install packages", () => {
    const { installer } = readSettings(
      { PGPASSWORD: "p", MY_SECRET: "s", A_TOKEN: "t", HTTPS_PROXY: "http://proxy" },
      false,
    );
    assert.deepEqual(installer, { HTTPS_PROXY: "http://proxy" });
  });

  it("turn colour off where it would be noise", () => {
    assert.equal(readSettings({ NO_COLOR: "1" }, true).color, false);
    assert.equal(readSettings({}, false).color, false);
    assert.equal(readSettings({ TERM: "xterm" }, true).color, true);
  });
});

describe("isolation of an environment", () => {
  it("is the rule `sandbox` by another name, and not both", async () => {
    const { environments } = await loadProjectConfig(
      await project("name: p\nenvironments:\n  a: { isolation: sandbox }\n  b: { isolation: none }\n  c:\n"),
    );
    assert.deepEqual(
      environments.map(({ sandbox }) => sandbox),
      [true, false, false],
    );
    await assert.rejects(
      loadProjectConfig(await project("name: p\nenvironments:\n  a: { isolation: none, sandbox: true }\n")),
      /esteira.yaml:3:19 .*contradict each other/,
    );
  });
});
