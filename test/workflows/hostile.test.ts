// Workflows, actions and texts that mean harm, or mean well and cannot run.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { createRepository } from "./repository.ts";

const job = (steps: string, more = ""): string =>
  `on: { push: {}, pull_request: {}, workflow_dispatch: {} }\njobs:\n  a:\n    runs-on: ubuntu-latest\n${more}    steps:\n${steps}`;
const MARK = "/tmp/esteira-workflow-was-here";

describe("workflows that cannot run here, or mean harm", async () => {
  const repository = await createRepository(
    {
      broken: "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    stepz: []\n",
      "not-yaml": "on: [push\n",
      bomb: `on: push\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c]\njobs: {}\n`,
      windows: job("      - run: echo x\n").replace("ubuntu-latest", "windows-latest"),
      container: job("      - run: echo x\n", "    container: node:22\n"),
      docker: job("      - uses: docker://alpine:3\n"),
      "docker-action": job("      - uses: ./.github/actions/image\n"),
      "not-mirrored": job("      - uses: some/thing@v1\n"),
      above: job("      - uses: ./a/../..\n"),
      outside: job("      - uses: ./../elsewhere\n"),
      service: job("      - run: echo x\n", "    services: { q: { image: 'rabbitmq:3' } }\n"),
      injected: job(
        '      - run: echo "title=${{ github.event.pull_request.title }}"\n      - if: always()\n        env: { TITLE: \'${{ github.event.pull_request.title }}\' }\n        run: echo "title=$TITLE"\n',
      ),
      escape: job("      - uses: actions/checkout@v4\n        with: { path: ../../out }\n"),
      "other-repository": job("      - uses: actions/checkout@v4\n        with: { repository: torvalds/linux }\n"),
      token: job("      - run: 'test -z \"$ESTEIRA_TOKEN$MLFLOW_TRACKING_TOKEN$ESTEIRA_URL\"'\n"),
      "bad-files": job("      - run: echo 'no equals sign' >> $GITHUB_OUTPUT\n"),
      result: job(
        "      - run: 'rm -f ../result.json; ln -s /etc/passwd ../result.json; mkdir -p ../artifacts; ln -s /etc/passwd ../artifacts/0.tar.gz; kill -9 $PPID'\n",
      ),
      moved: job(
        "      - run: 'rm -rf ../artifacts && ln -s /etc ../artifacts'\n      - run: echo x > ../caches/0.tar.gz && rm -rf ../caches && ln -s /tmp ../caches\n",
      ),
      "moved-next": `on: push\njobs:\n  l: { runs-on: ubuntu-latest, outputs: { i: "\${{ steps.l.outputs.i }}" }, steps: [{ id: l, run: "echo 'i=[1,2]' >> $GITHUB_OUTPUT" }] }\n  e: { needs: l, strategy: { matrix: { i: "\${{ fromJSON(needs.l.outputs.i) }}" } }, runs-on: ubuntu-latest, steps: [{ run: "mkdir -p /tmp/esteira-elsewhere; ln -s /tmp/esteira-elsewhere ../../combination-2; echo combination" }] }\n`,
      "secret-output": job(
        '      - id: s\n        run: \'echo "k=${{ secrets.KEY }}" >> "$GITHUB_OUTPUT"\'\n',
        "    outputs: { k: '${{ steps.s.outputs.k }}' }\n",
      ),
      target: "on: pull_request_target\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: echo x }] } }\n",
      ".github/actions/image/action.yml": "name: i\nruns: { using: docker, image: Dockerfile }\n",
    },
    { secrets: ["KEY"] },
    { KEY: "super-secret-value" },
  );
  const told = new Map(repository.found.map((one) => [one.name, one]));

  it("are named with file and line, and keep nothing else from running", () => {
    const expected: Readonly<Record<string, RegExp>> = {
      container: /no containers here/,
      docker: /is an image/,
      "docker-action": /is a Docker action/,
      "not-mirrored": /some\/thing@v1 is not built in/,
      above: /leads out of the project/,
      outside: /leads out of the project/,
      service: /rabbitmq/,
      "other-repository": /another repository/,
      broken: /stepz/,
      "not-yaml": /./,
      bomb: /./,
    };
    for (const [name, message] of Object.entries(expected)) {
      const found = told.get(name);
      assert.ok(found?.state === "refused" || found?.state === "invalid", `${name}: ${found?.state ?? "none"}`);
      const [problem] = found.problems;
      assert.match(problem?.message ?? "", message, name);
      assert.equal(problem?.file, `.github/workflows/${name}.yml`);
      assert.ok((problem?.line ?? 0) > 0 && (name === "bomb" || name === "not-yaml" || (problem?.line ?? 0) > 2), name);
    }
    const windows = told.get("windows");
    assert.equal(windows?.state, "elsewhere");
    assert.match(windows.leftOut[0]?.message ?? "", /runs on windows-latest: this machine runs Linux/);
    assert.equal(told.get("token")?.state, "ready");
    assert.deepEqual(repository.loaded.problems, []);
  });

  it("warn of a script that a title can change, and of pull_request_target", () => {
    assert.match(
      told
        .get("injected")
        ?.warnings.map(({ message }) => message)
        .join() ?? "",
      /stands in a script/,
    );
    assert.equal(told.get("injected")?.warnings.length, 1);
    assert.match(
      told
        .get("target")
        ?.warnings.map(({ message }) => message)
        .join() ?? "",
      /never started here/,
    );
  });

  it("let a title in a variable be text", async () => {
    const title = `"; touch ${MARK}; echo "$(touch ${MARK})\`touch ${MARK}\` \${{ secrets.KEY }}`;
    const ended = await repository.run("injected", {
      event: { name: "pull_request", payload: { pull_request: { title } } },
    });
    const log = await ended.log("a");
    assert.ok(log.includes(`title=${title}\n`), log);
    assert.ok(!existsSync(MARK), "it ran outside of the sandbox");
  });

  it("reach neither the platform nor files outside", async () => {
    assert.equal((await repository.run("token")).status, "succeeded");
    const escaped = await repository.run("escape");
    assert.equal(escaped.status, "failed");
    assert.match(await escaped.log("a"), /leads out of the workspace/);
    for (const [name, step] of [
      ["moved", "a"],
      ["moved-next", "e"],
    ] as const) {
      const moved = await repository.run(name);
      assert.equal(moved.outcomes[step], "failed", name);
      assert.match(JSON.stringify(moved.steps), /WORKFLOWS_FOLDER_MOVED/);
    }
    const forged = await repository.run("result");
    assert.equal(forged.status, "failed");
    assert.match(JSON.stringify(forged.steps[0]?.error), /WORKFLOWS_RESULT_UNREADABLE/);
    assert.doesNotMatch(JSON.stringify(forged.steps), /root:x/);
  });

  it("give away no secret through an output, and fail for a file that is none", async () => {
    const ended = await repository.run("secret-output");
    assert.equal(ended.status, "succeeded");
    assert.doesNotMatch(JSON.stringify(ended.steps) + (await ended.log("a")), /super-secret-value/);
    assert.match(await (await repository.run("bad-files")).log("a"), /Unable to process file command 'output'/);
  });
});
