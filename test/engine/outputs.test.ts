import assert from "node:assert/strict";
import { it } from "node:test";
import { getPipelineRun, readLog } from "#engine";
import { createTestProject, type TestProject } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

async function runTo(project: TestProject, pipeline = "p") {
  await project.register();
  const engine = project.engine();
  const id = await engine.submit({ pipeline, actor: "ana" });
  const run = await engine.runToEnd(id);
  const { stepRuns } = await getPipelineRun(project.store, id);
  const logOf = async (step: string): Promise<string> => {
    const stepRunId = stepRuns.find((each) => each.step === step)?.id ?? "";
    const { pieces } = await readLog(project, { stepRunId });
    return pieces.map(({ text }) => text).join("");
  };
  return { engine, id, run, stepRuns, logOf };
}

describeStores("outputs of steps", (kind) => {
  it("are read in commands, env and conditions of later steps, with secrets masked", async () => {
    const project = await createTestProject(kind, {
      "pipelines/p.yaml": `
steps:
  count:
    secrets: [TOKEN]
    outputs: [count, text]
    run: |
      echo "count=3" >> "$ESTEIRA_OUTPUT"
      { echo 'text<<EOF'; echo 'line "one"'; echo 'ção; $(id)'; echo EOF; } >> "$ESTEIRA_OUTPUT"
      echo "leak=$TOKEN" >> "$ESTEIRA_OUTPUT"
  python:
    run: |
      python3 - <<'EOF'
      import esteira
      esteira.set_output("list", ["a", esteira.results("count")["outputs"]["count"]])
      esteira.set_output("text", "one\\ntwo")
      EOF
    needs: count
  of_python: { run: 'echo "$LIST $TEXT"', env: { LIST: '\${{ steps.python.outputs.list }}', TEXT: '\${{ steps.python.outputs.text }}' } }
  use: { run: 'echo got \${{ steps.count.outputs.count }}; echo "$TEXT"', env: { TEXT: '\${{ steps.count.outputs.text }}' } }
  leak: { run: 'echo "$LEAK"', env: { LEAK: '\${{ steps.count.outputs.leak }}' }, needs: count }
  yes: { run: echo yes, when: steps.count.outputs.count == '3' }
  no: { run: echo no, when: steps.count.outputs.count == '4' }
  file: { run: 'cat "$ESTEIRA_CONTEXT"', needs: count }
`,
    });
    await assert.rejects(project.register(), /step "count" has no output "leak"/);
    const declared = "outputs: [count, text]";
    const path = "pipelines/p.yaml";
    const { readFile } = await import("node:fs/promises");
    const text = await readFile(`${project.projectFolder}/${path}`, "utf8");
    await project.write(path, text.replace(declared, "outputs: [count, text, leak]"));
    const { run, stepRuns, logOf } = await runTo(project);
    assert.equal(run.status, "succeeded", JSON.stringify(run.error));
    assert.equal(await logOf("use"), 'got 3\nline "one"\nção; $(id)\n');
    assert.equal(await logOf("of_python"), '["a", "3"] one\ntwo\n');
    assert.equal(await logOf("leak"), "***\n");
    assert.match(await logOf("file"), /"count": "3"/);
    assert.doesNotMatch(JSON.stringify(stepRuns), /s3cret-value/);
    assert.deepEqual(
      ["yes", "no"].map((step) => stepRuns.find((each) => each.step === step)?.status),
      ["succeeded", "skipped"],
    );
  });

  it("come with a result that is reused, and with another one when the step ran anew", async () => {
    const project = await createTestProject(kind, {
      "n.txt": "1",
      "pipelines/p.yaml": `
steps:
  a: { run: 'echo "n=$(cat n.txt)" >> "$ESTEIRA_OUTPUT"', files: n.txt }
  b: { run: 'echo n is \${{ steps.a.outputs.n }}' }
`,
    });
    assert.equal(await (await runTo(project)).logOf("b"), "n is 1\n");
    const second = await runTo(project);
    assert.equal(second.stepRuns[0]?.cached, true);
    assert.equal(await second.logOf("b"), "n is 1\n");
    await project.write("n.txt", "2");
    assert.equal(await (await runTo(project)).logOf("b"), "n is 2\n");
    await project.write("n.txt", "1");
    const back = await runTo(project);
    assert.equal(back.stepRuns[0]?.cached, true);
    assert.equal(await back.logOf("b"), "n is 1\n");
  });

  it("that are missing, malformed or something else than a file fail the step with the reason", async () => {
    const steps: Readonly<Record<string, readonly [string, RegExp]>> = {
      missing: ["outputs: [x], run: 'true'", /step "missing" gave no output "x"; it gave none/],
      words: ["run: 'echo some words >> \"$ESTEIRA_OUTPUT\"'", /line 1 is neither NAME=VALUE/],
      large: ["run: 'head -c 1100000 /dev/zero > \"$ESTEIRA_OUTPUT\"'", /1100000 bytes, and at most 1048576/],
      binary: ['run: \'printf "a=\\\\377\\\\n" > "$ESTEIRA_OUTPUT"\'', /not UTF-8/],
      link: ["run: 'ln -sf /etc/hostname \"$ESTEIRA_OUTPUT\"'", /cannot be read \(ELOOP\)/],
      folder: ['run: \'rm "$ESTEIRA_OUTPUT"; mkdir "$ESTEIRA_OUTPUT"\'', /no file any more/],
      pipe: ['run: \'rm "$ESTEIRA_OUTPUT"; mkfifo "$ESTEIRA_OUTPUT"\'', /no file any more/],
    };
    const lines = Object.entries(steps).map(([name, [step]]) => `  ${name}: { ${step} }`);
    const project = await createTestProject(kind, {
      "pipelines/p.yaml": `steps:\n${lines.join("\n")}\n  gone: { run: 'rm "$ESTEIRA_OUTPUT"' }\n  reads: { run: 'echo \${{ steps.gone.outputs.y }}' }\n`,
    });
    const { stepRuns } = await runTo(project);
    for (const [name, [, said]] of Object.entries(steps)) {
      const stepRun = stepRuns.find(({ step }) => step === name);
      assert.equal(stepRun?.status, "failed", name);
      assert.match(stepRun?.error?.message ?? "", said, name);
    }
    assert.match(
      stepRuns.find(({ step }) => step === "reads")?.error?.message ?? "",
      /Step "reads" cannot start: step "gone" gave no output "y"/,
    );
  });

  it("that cannot be there are refused before anything runs", async () => {
    const project = await createTestProject(kind, {
      "pipelines/p.yaml": `
steps:
  a: { run: 'true', outputs: [count] }
  b: { run: 'echo \${{ steps.a.outputs.cuont }}' }
  c: { run: 'echo \${{ steps.a.output.count }}' }
  d: { run: 'true', outputs: ['1x'] }
`,
    });
    const { problems } = await project.load();
    assert.deepEqual(
      problems.map(({ line, message, hint }) => [line, message.replace(/^\$\{\{.*\}\}: /, ""), hint]),
      [
        [4, 'step "a" has no output "cuont"', 'Did you mean "count"?'],
        [5, 'a step has no "output"', 'Did you mean "outputs"?'],
        [6, '"1x" cannot name an output', "Letters, digits, _ and -, beginning with a letter or _, at most 100."],
      ],
    );
  });
});
