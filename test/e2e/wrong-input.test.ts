// What a user gets wrong, and what esteira says to it: one row per mistake.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { type CommandEnd, runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

type Files = Readonly<Record<string, string | Uint8Array>>;

interface Mistake {
  readonly mistake: string;
  readonly files: Files;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly code: number;
  /** Each is in what the command says. */
  readonly says: readonly RegExp[];
}

const CSV = "id,amount\n1,10\n2,20\n";
const CAPTURE = 'raw: { capture: { files: "data/*.csv" } }';
const pipeline = (...steps: readonly string[]): string => `steps:\n${steps.map((step) => `  ${step}\n`).join("")}`;
const contract = (...properties: readonly string[]): string =>
  `apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n  - name: raw\n    properties:\n${properties.map((property) => `      - ${property}\n`).join("")}`;
const NOTEBOOK = JSON.stringify({
  nbformat: 4,
  nbformat_minor: 5,
  metadata: { kernelspec: { name: "python3", display_name: "Python 3", language: "python" } },
  cells: [
    {
      id: "parameters",
      cell_type: "code",
      metadata: { tags: ["parameters"] },
      execution_count: null,
      outputs: [],
      source: ["max_depth: int = 6\n"],
    },
  ],
});
const ONE_STEP: Files = { "pipelines/a.yaml": pipeline('a: { run: "true" }') };

const MONITOR =
  'endpoint: delay\nnotify: ["http://127.0.0.1/hook"]\nmonitors:\n  performance: { performance: { metric: roc_auc, drpo: 0.05 } }\n';
const WRONG_EVERYWHERE: Files = {
  "pipelines/a.yaml": pipeline("a: { rum: ls }"),
  "monitors/delay.yaml": MONITOR,
  "features/f.yaml": "views:\n  v: { source: raw, entities: [airport], timestamp: at, features: [x] }\n",
  "dashboards/d.yaml": "title: Days\ntiles:\n  - { titel: Days, sql: SELECT 1 }\n",
  "contracts/c.yaml": "apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschemas: []\n",
};
const EVERY_PLACE = [
  /contracts\/c\.yaml:6:1: .*schemas/,
  /dashboards\/d\.yaml:3:7: .*titel/,
  /features\/f\.yaml:2:\d+: .*airport/,
  /monitors\/delay\.yaml:2:10: /,
  /monitors\/delay\.yaml:4:\d+: .*drpo.*Did you mean "drop"\?/,
];

const MISTAKES: readonly Mistake[] = [
  {
    mistake: "mistakes in every kind of file, to lint",
    files: WRONG_EVERYWHERE,
    command: ["lint"],
    code: 1,
    says: [...EVERY_PLACE, /pipelines\/a\.yaml:2:\d+: .*rum/, /✖ \d mistakes/],
  },
  {
    mistake: "mistakes in every kind of file, to plan",
    files: WRONG_EVERYWHERE,
    command: ["plan"],
    code: 1,
    says: [...EVERY_PLACE, /pipelines\/a\.yaml:2:\d+: .*rum/],
  },
  {
    mistake: "mistakes in every kind of file, to up, which is not up then",
    files: WRONG_EVERYWHERE,
    command: ["up", "--port", "0"],
    code: 1,
    says: [...EVERY_PLACE, /^(?![^]*esteira is up)/],
  },
  {
    mistake: "mistakes in esteira.yaml and elsewhere, to lint",
    files: { ...WRONG_EVERYWHERE, "esteira.yaml": "name: p\nenviroments: {}\n" },
    command: ["lint"],
    code: 1,
    says: [
      ...EVERY_PLACE,
      /esteira\.yaml:2:1: .*Did you mean "environments"\?/,
      /pipelines are checked once esteira\.yaml is right/,
    ],
  },
  {
    mistake: "none: one pipeline is not two",
    files: ONE_STEP,
    command: ["lint"],
    code: 0,
    says: [/✔ 1 pipeline, no mistakes/],
  },
  {
    mistake: "nenhum, em português",
    files: ONE_STEP,
    command: ["lint"],
    environment: { ESTEIRA_LANG: "pt-BR" },
    code: 0,
    says: [/✔ 1 pipeline, nenhum erro/],
  },
  {
    mistake: "a misspelt key of a step",
    files: {
      "pipelines/a.yaml": pipeline("raw: { captur: { files: data/*.csv } }", 'two: { run: "true", neds: raw }'),
    },
    command: ["run", "a"],
    code: 1,
    says: [
      /2 mistakes/,
      /pipelines\/a\.yaml:2:10: unknown key "captur"\. Did you mean "capture"\?/,
      /a\.yaml:3:23: unknown key "neds"\. Did you mean "needs"\?/,
      /Nothing was started/,
    ],
  },
  {
    mistake: "a misspelt strategy of a deployment",
    files: {
      "esteira.yaml": "name: p\nenvironments: { production: {} }\n",
      "pipelines/a.yaml": pipeline("d: { deploy: m, to: production, strategy: { canry: 10% } }"),
    },
    command: ["lint"],
    code: 1,
    says: [/pipelines\/a\.yaml:2:47: unknown key "canry"\. Did you mean "canary"\?/],
  },
  {
    mistake: "a misspelt key of esteira.yaml",
    files: { "esteira.yaml": "name: p\nenviroments: {}\n" },
    command: ["status"],
    code: 1,
    says: [/esteira\.yaml:2:1/, /Did you mean "environments"\?/],
  },
  {
    mistake: "a step that reads a table nobody makes",
    files: { "pipelines/a.yaml": pipeline(CAPTURE, "t: { sql: sql/t.sql }"), "sql/t.sql": "SELECT * FROM rew\n" },
    command: ["run", "a"],
    code: 1,
    says: [/sql\/t\.sql:1:15: No step makes a dataset "rew"\. Did you mean "raw"\?/],
  },
  {
    mistake: "an SQL file that is not there",
    files: { "pipelines/a.yaml": pipeline(CAPTURE, "t: { sql: sql/u.sql }"), "sql/t.sql": "SELECT * FROM raw\n" },
    command: ["run", "a"],
    code: 1,
    says: [/a\.yaml:3:13: There is no file sql\/u\.sql in the project\. Did you mean sql\/t\.sql\?/],
  },
  {
    mistake: "SQL that cannot be parsed",
    files: {
      "pipelines/a.yaml": pipeline(CAPTURE, "t: { sql: sql/t.sql }"),
      "sql/t.sql": "SELECT id,\n  amount FORM raw\n",
    },
    command: ["run", "a"],
    code: 1,
    says: [/sql\/t\.sql:2:15: syntax error at or near "raw"/],
  },
  {
    mistake: "a column that the file does not bring, in SQL",
    files: {
      "data/a.csv": CSV,
      "pipelines/a.yaml": pipeline(CAPTURE, "t: { sql: sql/t.sql }"),
      "sql/t.sql": "SELECT id,\n  amont FROM raw\n",
    },
    command: ["run", "a"],
    code: 1,
    says: [
      /succeeded {2}raw/,
      /Step "t" does not fit what it reads:\nsql\/t\.sql:2:3: Referenced column "amont" not found.*"amount"/,
      /what ran before is kept/,
      /esteira run --resume [0-9A-Z]{26}/,
    ],
  },
  {
    mistake: "a column of the contract that the file does not bring",
    files: {
      "data/a.csv": CSV,
      "pipelines/a.yaml": pipeline('raw: { capture: { files: "data/*.csv" }, contract: contracts/c.yaml }'),
      "contracts/c.yaml": contract(
        "{ name: id, logicalType: integer, required: true }",
        "{ name: price, logicalType: number, required: true }",
      ),
    },
    command: ["run", "a"],
    code: 1,
    says: [
      /the required column "price" is missing; the file has id, amount/,
      /DATA_CAPTURE_EMPTY/,
      /esteira quarantine list raw/,
    ],
  },
  {
    mistake: "a CSV with broken lines",
    files: { "data/a.csv": 'id,amount\n1,10\n2,20,30\n3\n4,"x\n', "pipelines/a.yaml": pipeline(CAPTURE) },
    command: ["run", "a"],
    code: 0,
    says: [/read 4, published 1, quarantined 3/, /esteira quarantine list raw/],
  },
  {
    mistake: "a Parquet file that is none",
    files: {
      "data/a.parquet": randomBytes(3000),
      "pipelines/a.yaml": pipeline('raw: { capture: { files: "data/*.parquet" } }'),
    },
    command: ["run", "a"],
    code: 1,
    says: [/data\/a\.parquet: not a whole Parquet file/, /DATA_CAPTURE_EMPTY/],
  },
  {
    mistake: "a folder outside the project that esteira.yaml does not name",
    files: { "pipelines/a.yaml": pipeline('raw: { capture: { folder: /usr/share, files: "*.csv" } }') },
    command: ["lint"],
    code: 1,
    says: [
      /a\.yaml:2:\d+: The folder \/usr\/share lies outside the project.*esteira\.yaml names none/,
      /capture\.folders/,
    ],
  },
  {
    mistake: "a folder beside the one that esteira.yaml names",
    files: {
      "esteira.yaml": "name: p\ncapture: { folders: [/usr/sha] }\n",
      "pipelines/a.yaml": pipeline('raw: { capture: { folder: /usr/share, files: "*.csv" } }'),
    },
    command: ["run", "a"],
    code: 1,
    says: [
      /a\.yaml:2:\d+: The folder \/usr\/share lies outside the project.*esteira\.yaml names \/usr\/sha/,
      /Nothing was started/,
    ],
  },
  {
    mistake: "a pattern that no file matches",
    files: { "data/a.csv": CSV, "pipelines/a.yaml": pipeline('raw: { capture: { files: "dta/*.csv" } }') },
    command: ["run", "a"],
    code: 1,
    says: [/No file below .* matches dta\/\*\.csv/, /capture\.files/],
  },
  {
    mistake: "an unknown parameter of a notebook",
    files: {
      "notebooks/n.ipynb": NOTEBOOK,
      "pipelines/a.yaml": pipeline("m: { notebook: notebooks/n.ipynb, params: { max_dept: 3 }, makes: model }"),
    },
    command: ["run", "a"],
    code: 1,
    says: [/a\.yaml:2:\d+: notebooks\/n\.ipynb: the notebook has no parameter "max_dept"\. Did you mean "max_depth"\?/],
  },
  {
    mistake: "a parameter of a notebook of the wrong type",
    files: {
      "notebooks/n.ipynb": NOTEBOOK,
      "pipelines/a.yaml": pipeline("m: { notebook: notebooks/n.ipynb, params: { max_depth: deep }, makes: model }"),
    },
    command: ["run", "a"],
    code: 1,
    says: [/parameter "max_depth" is "deep"; expected int/],
  },
  {
    mistake: "steps that wait for each other",
    files: {
      "pipelines/a.yaml": pipeline(
        'a: { run: "true", needs: c }',
        'b: { run: "true", needs: a }',
        'c: { run: "true", needs: b }',
      ),
    },
    command: ["run", "a"],
    code: 1,
    says: [
      /a\.yaml:2:3: these steps wait for each other: a \(line 2\) → needs c \(line 4\) → needs b \(line 3\) → needs a/,
    ],
  },
  {
    mistake: "two steps of one name",
    files: { "pipelines/a.yaml": pipeline('a: { run: "true" }', 'a: { run: "false" }') },
    command: ["run", "a"],
    code: 1,
    says: [/a\.yaml:3:3: a stands twice/],
  },
  {
    mistake: "two pipelines that make one dataset",
    files: { "pipelines/a.yaml": pipeline(CAPTURE), "pipelines/b.yaml": pipeline(CAPTURE) },
    command: ["run", "a"],
    code: 1,
    says: [/b\.yaml:2:3: "raw" is made twice: by step "raw" here and by step "raw" of pipeline "a"/],
  },
  {
    mistake: "an unknown environment",
    files: {
      "esteira.yaml": "name: p\nenvironments: { staging: {} }\n",
      "pipelines/a.yaml": pipeline('a: { run: "echo", makes: { code: data } }', "d: { deploy: a, to: [stagin] }"),
    },
    command: ["run", "a"],
    code: 1,
    says: [/a\.yaml:3:24: There is no environment "stagin"; esteira\.yaml names staging\. Did you mean staging\?/],
  },
  {
    mistake: "a schedule that is none",
    files: { "pipelines/a.yaml": `on: { schedule: "61 4 * * *" }\n${pipeline('a: { run: "true" }')}` },
    command: ["run", "a"],
    code: 1,
    says: [/a\.yaml:1:17: the schedule "61 4 \* \* \*" cannot be read: Invalid value for minute: 61\. Five fields/],
  },
  {
    mistake: "an unknown --param",
    files: { "pipelines/a.yaml": `params: { depth: 6 }\n${pipeline('a: { run: "true" }')}` },
    command: ["run", "a", "--param", "dept=3"],
    code: 1,
    says: [/no param "dept"; it has: depth/, /Did you mean "depth"\?/],
  },
  {
    mistake: "a --param of the wrong type",
    files: { "pipelines/a.yaml": `params: { depth: 6 }\n${pipeline('a: { run: "true" }')}` },
    command: ["run", "a", "--param", "depth=deep"],
    code: 1,
    says: [/Param "depth" of pipeline "a" is "deep", expected a number/],
  },
  {
    mistake: "an unknown run",
    files: ONE_STEP,
    command: ["run", "--resume", "01ABC"],
    code: 1,
    says: [/There is no pipeline run "01ABC" in this project/],
  },
  {
    mistake: "an unknown pipeline",
    files: ONE_STEP,
    command: ["run", "b"],
    code: 1,
    says: [/There is no pipeline "b"; known: a/],
  },
  {
    mistake: "an unknown step to explain",
    files: ONE_STEP,
    command: ["why", "zz"],
    code: 1,
    says: [/No pipeline has a step "zz"; there are: a/],
  },
  {
    mistake: "an unknown option",
    files: ONE_STEP,
    command: ["run", "a", "--form", "a"],
    code: 2,
    says: [/There is no option --form; did you mean --from\?/],
  },
  {
    mistake: "a project without pipelines",
    files: {},
    command: ["run", "a"],
    code: 1,
    says: [/There is no pipeline "a"/, /Put one into pipelines\/a\.yaml/],
  },
  {
    mistake: "an empty pipeline file",
    files: { "pipelines/a.yaml": "" },
    command: ["run", "a"],
    code: 1,
    says: [/a\.yaml:1:1: the file is empty/i],
  },
  {
    mistake: "a command that is not installed",
    files: { "pipelines/a.yaml": pipeline('a: { run: "frobnicate --x" }') },
    command: ["run", "a"],
    code: 1,
    says: [/ended with exit 127; it said last: .*frobnicate: not found/],
  },
  {
    mistake: "a metadata file that is no database",
    files: { ...ONE_STEP, ".esteira/metadata.sqlite": randomBytes(8192) },
    command: ["status"],
    code: 1,
    says: [/metadata\.sqlite cannot be opened: file is not a database/],
  },
  {
    mistake: "a database that does not answer",
    files: { ...ONE_STEP, "esteira.yaml": 'name: p\nstore: { metadata: "postgres://root@127.0.0.1:9/x" }\n' },
    command: ["status"],
    code: 1,
    says: [/cannot be opened: connect ECONNREFUSED 127\.0\.0\.1:9/, /store\.metadata in esteira\.yaml/],
  },
  {
    mistake: "a server for everyone without a user",
    files: ONE_STEP,
    command: ["up", "--host", "0.0.0.0", "--port", "0"],
    code: 1,
    says: [/does not listen on 0\.0\.0\.0 while no user exists/, /esteira user create/],
  },
];

async function createProject(files: Files): Promise<string> {
  const folder = await temporaryFolder();
  for (const [path, content] of Object.entries({ "esteira.yaml": "name: p\n", ...files })) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

function assertSays({ code, stdout, stderr }: CommandEnd, expected: Pick<Mistake, "code" | "says">): void {
  // A place and what is found there, an advice below: one sentence each, however they are laid out.
  const said = `${stderr}${stdout}`.replaceAll(/(:\d+:\d+):? +/g, "$1: ").replaceAll("\n    ", ". ");
  assert.equal(code, expected.code, said);
  for (const sentence of expected.says) assert.match(said, sentence);
  assert.doesNotMatch(said, /^ +at .*:\d+:\d+\)?$/m, "a stack trace is nothing for a user");
}

describe("esteira says what is wrong, where, and what to do:", { concurrency: 2 }, () => {
  for (const { mistake, files, command, environment, ...expected } of MISTAKES) {
    it(mistake, async () => {
      assertSays(await runEsteira(await createProject(files), command, environment), expected);
    });
  }

  it("a folder without a project", async () => {
    const folder = await createProject({});
    await rm(join(folder, "esteira.yaml"));
    assertSays(await runEsteira(folder, ["run", "a"]), {
      code: 1,
      says: [/No esteira\.yaml in .* or any folder above it/, /esteira init/],
    });
  });

  it("rows that broke the contract, with their place and rule", async () => {
    const folder = await createProject({
      "data/a.csv": "id,amount\n1,10\n2,20,30\n4,x\n",
      "pipelines/a.yaml": pipeline('raw: { capture: { files: "data/*.csv" }, contract: contracts/c.yaml }'),
      "contracts/c.yaml": contract(
        "{ name: id, logicalType: integer, required: true }",
        "{ name: amount, logicalType: number, required: true }",
      ),
    });
    assert.equal((await runEsteira(folder, ["run", "a"])).code, 0);
    assertSays(await runEsteira(folder, ["quarantine", "list", "raw"]), {
      code: 0,
      says: [
        /data\/a\.csv:3 {2}line 3: Expected Number of Columns: 2 Found: 3/,
        /data\/a\.csv:4 {2}amount is "x": must be DOUBLE/,
      ],
    });
  });

  it("a port that is taken", async () => {
    const taken = createServer();
    await new Promise<void>((listening) => taken.listen(0, "127.0.0.1", listening));
    const address = taken.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    try {
      assertSays(await runEsteira(await createProject(ONE_STEP), ["up", "--port", String(port)]), {
        code: 1,
        says: [new RegExp(`Port ${port} on 127\\.0\\.0\\.1 is taken`), /choose another port: esteira up --port/],
      });
    } finally {
      taken.close();
    }
  });

  it("a machine without Python", async () => {
    const folder = await createProject({ "pipelines/a.yaml": pipeline("a: { python: a.py }"), "a.py": "print(1)\n" });
    await mkdir(join(folder, "bin"));
    for (const tool of ["/bin/sh", "/usr/bin/env", "/usr/bin/dirname", "/usr/bin/readlink", "/bin/uname"])
      await symlink(tool, join(folder, "bin", tool.slice(tool.lastIndexOf("/") + 1)));
    assertSays(await runEsteira(folder, ["run", "a"], { PATH: join(folder, "bin") }), {
      code: 1,
      says: [
        /No Python 3\.11 or newer was found; searched, in order: python3 \(not found\)/,
        /apt-get install python3/,
      ],
    });
  });
});
