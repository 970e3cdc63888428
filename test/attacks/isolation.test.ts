// What a step tries against the platform and the machine: everything that it was not given stays closed.
import assert from "node:assert/strict";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { createGit, createIsolation, createLocalExecutor, createWorkspace } from "#executors";
import { getAssetVersion } from "#metadata-store";
import { getPipelineRun, readLog } from "#engine";
import { createTestProject, testPorts, type TestProject } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

const isolation = createIsolation();
const { level, missing } = await isolation.report();
const skip = level === "sandbox" ? false : `no sandbox on this machine: ${missing[0]?.reason ?? ""}`;
const git = createGit({ environment: { PATH: process.env["PATH"] ?? "" } });

interface Attacked {
  readonly status: string;
  readonly log: string;
  readonly error: string;
  readonly project: TestProject;
}

describeStores("a step against the platform", (kind) => {
  /** Runs one shell line as the step `attack`, in a store that holds something worth stealing. */
  async function attack(run: (project: TestProject) => string, more = ""): Promise<Attacked> {
    const project = await createTestProject(kind, { "given.txt": "given\n" });
    const { folder, projectFolder } = project;
    await mkdir(join(folder, "work/other-attempt"), { recursive: true });
    await writeFile(join(folder, "work/other-attempt/context.json"), "secret-of-another-attempt");
    await writeFile(join(folder, "key"), "secret-of-the-store");
    await mkdir(join(projectFolder, ".esteira"), { recursive: true });
    await writeFile(join(projectFolder, ".esteira/metadata.sqlite"), "secret-of-the-store");
    const script = run(project);
    await project.write("attack.sh", script);
    await project.write("pipelines/work.yaml", `steps:\n  attack: { run: "sh attack.sh"${more} }\n`);
    await project.register();
    const engine = project.engine({
      executors: [
        createLocalExecutor({
          workFolder: join(folder, "work"),
          storeFolder: join(projectFolder, ".esteira"),
          isolation,
        }),
      ],
      ports: {
        ...testPorts,
        createWorkspace: (request) => createWorkspace({ ...request, leaveOut: [join(projectFolder, ".esteira")] }, git),
      },
    });
    const ended = await engine.runToEnd(await engine.submit({ pipeline: "work", actor: "ana" }));
    const { stepRuns } = await getPipelineRun(project.store, ended.id);
    const step = stepRuns[0];
    assert.ok(step !== undefined);
    const { pieces } = await readLog(project, { stepRunId: step.id });
    return {
      status: step.status,
      log: pieces.map(({ text }) => text).join(""),
      error: JSON.stringify(step.error ?? {}),
      project,
    };
  }
  const closed = async (title: string, run: (project: TestProject) => string): Promise<void> => {
    await it(`does not get ${title}`, { timeout: 120_000, skip }, async () => {
      const { log, status } = await attack((project) => `${run(project)}\necho over\n`);
      assert.match(log, /over/, log);
      assert.doesNotMatch(log, /secret-of|root:|GOT/, log);
      assert.equal(status, "succeeded");
    });
  };

  void closed("the store by its path, beside and in the project", ({ folder, projectFolder }) =>
    [join(folder, "key"), join(projectFolder, ".esteira/metadata.sqlite"), join(folder, "metadata.sqlite")]
      .map((path) => `cat ${path} 2>&1 || true; (echo x >> ${path}) 2>/dev/null && echo wrote ${path}`)
      .join("\n"),
  );
  it("does not get the store's address from any environment or command line", { timeout: 120_000, skip }, async () => {
    const { log, project } = await attack(() => "env; cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'; echo over");
    assert.match(log, /over/);
    assert.ok(!log.includes(project.address), log);
  });
  void closed(
    "the folder of another attempt",
    ({ folder }) => `ls ${folder}/work; cat ${folder}/work/*/context.json | grep secret; true`,
  );
  void closed(
    "the home, or who has an account",
    () =>
      `ls -A ${homedir()} && test -n "$(ls -A ${homedir()}/.ssh 2>/dev/null)" && echo GOT; cat /etc/shadow /etc/gshadow; cat /etc/passwd; true`,
  );
  void closed(
    "processes of others to look into",
    () =>
      `set +e; ls /proc | grep -c '^[0-9]'; kill -0 ${process.pid} 2>/dev/null && echo GOT; cat /proc/${process.pid}/environ 2>/dev/null | grep -q . && echo GOT; mount -t proc proc /proc 2>/dev/null && echo GOT; unshare -U true 2>/dev/null && echo GOT; true`,
  );

  it("does not write the sources, nor where others run from", { timeout: 120_000, skip }, async () => {
    const { project, log } = await attack(
      ({ projectFolder }) =>
        `set +e; echo changed > ${projectFolder}/given.txt; echo x > ${projectFolder}/new.txt; rm -rf ${projectFolder}/pipelines; echo own > given.txt; cat given.txt; echo x > /usr/bin/esteira-attack; echo x > /esteira-attack; true`,
    );
    assert.match(log, /own/);
    assert.equal(await readFile(join(project.projectFolder, "given.txt"), "utf8"), "given\n");
    await assert.rejects(readFile(join(project.projectFolder, "new.txt")));
    await readFile(join(project.projectFolder, "pipelines/work.yaml"));
    for (const path of ["/usr/bin/esteira-attack", "/esteira-attack"]) await assert.rejects(readFile(path));
  });

  it("gives nothing out by links: as its result, its report or its working folder", { timeout: 120_000 }, async () => {
    const linked = await attack(({ folder }) => `ln -s ${folder} dist`, ", makes: { code: dist }");
    assert.match(linked.error, /PIPELINE_OUTPUT_OUTSIDE|OBJECT_STORE|OUTPUT_FOLDER_MISSING/);
    assert.equal(linked.status, "failed");
    assert.equal(
      await linked.project.store.read((tx) => getAssetVersion(tx, { project: "p", asset: "attack" })),
      undefined,
    );
    const inside = await attack(({ folder }) => `mkdir dist; ln -s ${folder}/key dist/key`, ", makes: { code: dist }");
    assert.equal(inside.status, "failed");
    const report = await attack(({ folder }) => `ln -s ${folder}/key report.xml`, ", report: report.xml");
    assert.match(report.error, /PIPELINE_OUTPUT_OUTSIDE/);
  });

  it("does not reach what a folder of the project that is a link names", { timeout: 120_000, skip }, async () => {
    const project = await createTestProject(kind, {
      "pipelines/work.yaml": "steps:\n  attack: { run: 'cat key', folder: outside }\n",
    });
    await writeFile(join(project.folder, "key"), "secret-of-the-store");
    await symlink(project.folder, join(project.projectFolder, "outside"));
    await project.register();
    const engine = project.engine({
      executors: [createLocalExecutor({ workFolder: join(project.folder, "work"), isolation })],
      ports: { ...testPorts, createWorkspace: (request) => createWorkspace({ ...request, leaveOut: [] }, git) },
    });
    const ended = await engine.runToEnd(await engine.submit({ pipeline: "work", actor: "ana" }));
    assert.equal(ended.status, "failed");
    const { stepRuns } = await getPipelineRun(project.store, ended.id);
    const { pieces } = await readLog(project, { stepRunId: stepRuns[0]?.id ?? "" });
    assert.doesNotMatch(JSON.stringify(pieces), /secret-of/);
  });

  it("is not shown more by what it declares itself", { timeout: 120_000, skip }, async () => {
    const { log } = await attack(
      ({ folder }) => `cat ${folder}/secrets/key 2>&1; echo over`,
      ", env: { PATH: '/usr/bin:/bin:SECRETS/bin', SSL_CERT_DIR: 'SECRETS' }".replaceAll("SECRETS", "/root"),
    );
    assert.match(log, /over/);
    assert.doesNotMatch(log, /secret-of/);
  });

  it("that is isolated says so in its facts, and what it makes does", { timeout: 120_000 }, async () => {
    const { project, status } = await attack(() => "mkdir dist; echo x > dist/x", ", makes: { code: dist }");
    assert.equal(status, "succeeded");
    const version = await project.store.read((tx) => getAssetVersion(tx, { project: "p", asset: "attack" }));
    assert.match(JSON.stringify(version?.content), new RegExp(`"isolation":"${level}"`));
  });
});
