import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { isEsteiraError } from "#base";
import { createPythonEnvironments, createPythonKind, readEsteiraCalls } from "#executors";
import { raisedIn } from "../../src/executors/kinds/python.ts";
import { noContracts, noTests, testAttempt, testEnvironments } from "../setup/attempt.ts";
import { openTestStore, temporaryFolder } from "../setup/stores.ts";

const environment = process.env as Record<string, string>;

describe("a Python environment", () => {
  it("is made once for callers that ask at the same time, and is there again for the next process", async () => {
    const storeFolder = await temporaryFolder();
    const lines: string[] = [];
    const request = {
      requirements: "# nothing but Python\n",
      requirementsFile: "requirements.txt",
      report: (line: string) => void lines.push(line),
    };
    const stores = [
      createPythonEnvironments({ storeFolder, environment }),
      createPythonEnvironments({ storeFolder, environment }),
    ];
    const made = await Promise.all(stores.map((store) => store.prepare(request)));
    assert.equal(made[0]?.python, made[1]?.python);
    assert.match(made[0]?.lockDigest ?? "", /^sha256:/);
    assert.equal(lines.filter((line) => line.startsWith("making")).length, 1);
    assert.deepEqual(
      (await readdir(join(storeFolder, "python"))).filter((name) => name.endsWith(".lock")),
      [],
    );
    assert.equal(
      (await createPythonEnvironments({ storeFolder, environment }).prepare(request)).lockDigest,
      made[0]?.lockDigest,
    );
  });

  it("serves whoever asks for exactly its packages, under other names for them, and nobody who asks for others", async () => {
    const storeFolder = await temporaryFolder();
    const store = createPythonEnvironments({ storeFolder, environment });
    const made = await store.prepare({ requirements: "six\n", requirementsFile: "requirements.txt" });
    const asked = { requirements: made.lock, requirementsFile: "of a model", wheels: made.wheels };
    assert.equal((await store.prepare(asked)).python, made.python);
    const line = made.lock.trim();
    const platform = made.wheels?.platform ?? "";
    const other = { ...asked, wheels: { platform, sha256: { [line]: "0".repeat(64) } } };
    await assert.rejects(store.prepare(other), "another file was asked for");
    assert.equal((await readdir(join(storeFolder, "python"))).length, 1);
  });

  it("has programs that start after its folder was moved, and after the link through which it was made is gone", async () => {
    const folder = await temporaryFolder();
    const request = { requirements: "six\n", requirementsFile: "requirements.txt" };
    const prepare = (storeFolder: string) => createPythonEnvironments({ storeFolder, environment }).prepare(request);
    const startPip = async (python: string): Promise<string> =>
      (await promisify(execFile)(join(dirname(python), "pip"), ["--version"])).stdout;
    await mkdir(join(folder, "store"));
    await symlink(join(folder, "store"), join(folder, "link"));
    await prepare(join(folder, "link"));
    await rm(join(folder, "link"));
    const made = await prepare(join(folder, "store"));
    assert.match(await startPip(made.python), /^pip \d/);
    for (const name of ["moved", 'moved to João\'s "own" place', `far ${"away ".repeat(30)}`, "back"]) {
      const now = join(folder, name.trim());
      const last = (await readdir(folder)).find((each) => each !== "link") ?? "";
      await rename(join(folder, last), now);
      const moved = await prepare(now);
      assert.match(await startPip(moved.python), /^pip \d/, name);
      assert.equal(moved.lockDigest, made.lockDigest);
    }
  });

  it("is made anew when a maker died over it", async () => {
    const storeFolder = await temporaryFolder();
    const request = { requirements: "", requirementsFile: "requirements.txt" };
    const first = await createPythonEnvironments({ storeFolder, environment }).prepare(request);
    const folder = join(first.python, "../..");
    await rm(join(folder, "esteira.json"));
    await rm(join(folder, "bin"), { recursive: true });
    await writeFile(`${folder}.lock`, JSON.stringify({ host: (await import("node:os")).hostname(), pid: 2 ** 22 + 1 }));
    assert.equal(
      (await createPythonEnvironments({ storeFolder, environment }).prepare(request)).lockDigest,
      first.lockDigest,
    );
    assert.ok((await readdir(folder)).includes("bin"));
  });

  it("that needs a package nobody has names it, says what to do, and leaves nothing behind", async () => {
    const storeFolder = await temporaryFolder();
    const wheels = await temporaryFolder();
    const offline = { ...environment, PIP_NO_INDEX: "1", PIP_FIND_LINKS: wheels, PIP_CONFIG_FILE: "/dev/null" };
    await assert.rejects(
      createPythonEnvironments({ storeFolder, environment: offline }).prepare({
        requirements: "six==1.17.0\n",
        requirementsFile: "requirements.txt",
      }),
      (error) => {
        assert.ok(isEsteiraError(error, "EXECUTORS_PACKAGE_UNAVAILABLE"), String(error));
        assert.match(
          error.message,
          /environment of requirements\.txt cannot be made: no package six==1\.17\.0 can be had/,
        );
        assert.match(error.hint ?? "", /PIP_FIND_LINKS/);
        return true;
      },
    );
    assert.deepEqual(await readdir(join(storeFolder, "python")), []);
  });

  it("refuses requirements that point at other files, and a machine without Python", async () => {
    const storeFolder = await temporaryFolder();
    const prepare = (
      requirements: string,
      options: { environment?: Record<string, string>; interpreter?: string } = {},
    ): Promise<unknown> =>
      createPythonEnvironments({ storeFolder, environment, ...options }).prepare({
        requirements,
        requirementsFile: "r.txt",
      });
    await assert.rejects(
      prepare("six\n-r other.txt"),
      (error) => isEsteiraError(error, "EXECUTORS_REQUIREMENT_UNSUPPORTED") && /r\.txt:2/.test(error.message),
    );
    await assert.rejects(
      prepare("", { environment: { PATH: storeFolder } }),
      (error) => isEsteiraError(error, "EXECUTORS_PYTHON_MISSING") && /python3 \(not found\)/.test(error.message),
    );
  });
});

describe("a python step", () => {
  it("gives the script its inputs and params, and takes what it wrote", async () => {
    const { objects } = await openTestStore("sqlite");
    const projectFolder = await temporaryFolder();
    await mkdir(join(projectFolder, "src"));
    await writeFile(
      join(projectFolder, "src/a.py"),
      'import esteira, sys\nprint("hello", sys.argv[1])\n(esteira.output("made") / "a.txt").write_text(str(esteira.params["x"]))\n',
    );
    const kind = createPythonKind({ environments: testEnvironments, contracts: noContracts, tests: noTests });
    const attempt = await testAttempt(
      { python: "src/a.py", args: ["you"], makes: "report" as const },
      { projectFolder, objects, params: { x: 3 } },
    );
    const outcome = await kind.execute(attempt);
    assert.equal(outcome.status === "succeeded" && outcome.made[0]?.asset, "made");
    assert.match(attempt.logged.map(({ text }) => text).join(""), /hello you/);
    const failing = await testAttempt({ python: "src/missing.py" }, { projectFolder, objects });
    await assert.rejects(
      kind.execute(failing),
      (error) =>
        isEsteiraError(error, "EXECUTORS_PYTHON_FAILED") &&
        /src\/missing\.py ended with exit code 2/.test(error.message),
    );
  });

  it("says what the script raised, not what came after it", () => {
    const traceback = `Traceback (most recent call last):
  File "a.py", line 2, in <module>
    frame["x"]
    ~~~~~^^^^^
KeyError: 'x'
🏃 View run at: http://127.0.0.1:1
done
`;
    assert.equal(raisedIn(traceback), "KeyError: 'x'");
    assert.equal(raisedIn("  File 'a', line 1\npkg.sub.OwnError\n"), "pkg.sub.OwnError");
    assert.equal(raisedIn("rows: 3\nnothing indented: here\n"), "");
    assert.equal(raisedIn(""), "");
    assert.ok(raisedIn(`  at\nValueError: ${"x".repeat(5000)}`).length < 400);
  });

  it("saves a model as ONNX, with its signature and an MLmodel file, and refuses a wrong signature", async () => {
    const { objects } = await openTestStore("sqlite");
    const projectFolder = await temporaryFolder();
    await writeFile(
      join(projectFolder, "train.py"),
      `import esteira
for wrong in ({"task": "ranking"}, {"inputs": {"a": "complex"}}, {"example": {"b": 1}}):
    try:
        esteira.save_model("delay", b"x", **{"task": "regression", "inputs": {"a": "float"}, **wrong})
    except esteira.EsteiraError as error:
        print("refused:", error)
esteira.save_model("delay", b"graph", task="binary_classification", inputs={"a": "double", "b": str}, label="late", example={"a": 1.5, "b": "x"}, features=["v:a"])
try:
    esteira.input("trainin_set")
except esteira.EsteiraError as error:
    print("refused:", error)
`,
    );
    const attempt = await testAttempt(
      { python: "train.py", makes: "model" as const },
      { projectFolder, objects, step: "delay" },
    );
    const outcome = await createPythonKind({
      environments: testEnvironments,
      contracts: noContracts,
      tests: noTests,
    }).execute(attempt);
    assert.equal(outcome.status, "succeeded");
    if (outcome.status !== "succeeded" || outcome.made[0] === undefined) throw new Error("the step made nothing");
    const { files } = outcome.made[0].content as {
      readonly files: readonly { readonly path: string; readonly digest: `sha256:${string}` }[];
    };
    const read = async (path: string): Promise<unknown> =>
      JSON.parse((await objects.get(files.find((file) => file.path === path)?.digest ?? "sha256:")).toString());
    assert.deepEqual(
      files.map(({ path }) => path),
      ["MLmodel", "model.json", "model.onnx", "python_env.yaml", "requirements.txt"],
    );
    const text = async (path: string): Promise<string> =>
      (await objects.get(files.find((file) => file.path === path)?.digest ?? "sha256:")).toString();
    // What loads the graph elsewhere, though the step that made it did without.
    assert.match(await text("requirements.txt"), /^onnxruntime==1\.\d+\.\d+$/m);
    assert.match(await text("python_env.yaml"), /^python: 3\.\d+\.\d+\n/);
    assert.deepEqual(await read("model.json"), {
      format: "esteira.model/1",
      runtime: "onnx",
      file: "model.onnx",
      task: "binary_classification",
      inputs: [
        { name: "a", type: "float" },
        { name: "b", type: "string" },
      ],
      outputs: [
        { name: "label", type: "integer" },
        { name: "probability", type: "float" },
      ],
      label: "late",
      example: { a: 1.5, b: "x" },
      features: ["v:a"],
    });
    assert.equal(
      ((await read("MLmodel")) as { flavors: { python_function: { loader_module: string } } }).flavors.python_function
        .loader_module,
      "mlflow.onnx",
    );
    assert.deepEqual(
      attempt.logged
        .map(({ text }) => text)
        .join("")
        .split("\n")
        .filter((line) => line.startsWith("refused")),
      [
        "refused: task is 'ranking'; expected one of binary_classification, multiclass_classification, regression, outputs",
        "refused: input \"a\" has type 'complex'; expected one of float, integer, string, boolean",
        "refused: The example row lacks a",
        'refused: This step has no input "trainin_set"; its inputs: none',
      ],
    );
  });

  it("finds what a script reads by parsing it, never in strings or comments", async () => {
    const calls = await readEsteiraCalls(
      'import esteira\n# esteira.input("no")\ns = "esteira.input(\'no\')"\nif True:\n    x = esteira.input("rows").to_pandas()\n%time esteira.input("magic")\nesteira.output(\'made\', x)\nesteira.input(name)',
    );
    assert.deepEqual(calls, [
      { function: "input", argument: "rows", line: 5, column: 9 },
      { function: "output", argument: "made", line: 7, column: 1 },
      { function: "input", argument: undefined, line: 8, column: 1 },
    ]);
  });
});
