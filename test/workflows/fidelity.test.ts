// Where GitHub's behaviour is not the obvious one.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { passesFilter } from "../../src/workflows/filter-pattern.ts";
import { expandMatrix } from "../../src/workflows/matrix.ts";
import { findSecretNames } from "../../src/workflows/secret-names.ts";
import { createRepository, factsOf } from "./repository.ts";

const ON = "on: { push: {}, pull_request: {}, workflow_dispatch: {} }\n";
const job = (steps: string, more = ""): string => `  a:\n    runs-on: ubuntu-latest\n${more}    steps:\n${steps}`;
const only = (steps: string, more = ""): string => `${ON}jobs:\n${job(steps, more)}`;

describe("workflows behave as on GitHub", async () => {
  const repository = await createRepository(
    {
      masked: only(
        `      - env: { KEY: "\${{ secrets.KEY }}" }
        run: |
          echo "::error title=a $KEY,file=$KEY.ts::it is $KEY"
          echo "::warning::later-secret"
          echo "::add-mask::later-secret"
          printf %s "$KEY" | base64
`,
      ),
      "left-out": `${ON}jobs:
  win: { runs-on: windows-latest, steps: [{ run: "echo x" }] }
  after: { needs: win, runs-on: ubuntu-latest, steps: [{ run: "echo after" }] }
  anyway: { needs: [win, after], if: always(), runs-on: ubuntu-latest, steps: [{ run: 'echo "win=\${{ needs.win.result }} after=\${{ needs.after.result }}"' }] }
  no-failure: { needs: win, if: "!failure()", runs-on: ubuntu-latest, steps: [{ run: "echo x" }] }
`,
      "part-left-out": `${ON}jobs:
  test:
    strategy: { matrix: { os: [ubuntu-22.04, macos-14, windows-2022] } }
    runs-on: \${{ matrix.os }}
    steps: [{ run: "echo on=\${{ matrix.os }}" }]
  after: { needs: test, runs-on: ubuntu-latest, steps: [{ run: "echo after" }] }
`,
      "dynamic-system": `${ON}jobs:
  list: { runs-on: ubuntu-latest, outputs: { os: "\${{ steps.l.outputs.os }}" }, steps: [{ id: l, run: "echo 'os=[\\"ubuntu-latest\\",\\"windows-latest\\"]' >> $GITHUB_OUTPUT" }] }
  each:
    needs: list
    strategy: { matrix: { os: "\${{ fromJSON(needs.list.outputs.os) }}" } }
    runs-on: \${{ matrix.os }}
    steps: [{ run: "echo on=\${{ matrix.os }}" }]
`,
      staged: only(`      - uses: actions/checkout@v4
      - run: test "$(cat new.txt)" = new && test "$(cat kept.txt)" = changed && test ! -e gone.txt && test "$(cat other.txt)" = untracked
`),
      outputs: only(`      - run: |
          echo first > /dev/stderr
          echo "second" | tee /dev/stderr
          echo "out=third" > /dev/stdout
          head -c 300000 /dev/zero | tr '\\0' x | fold -w 100; echo; echo last
`),
      ci: only(
        `      - run: test "$CI" = false
      - run: echo CI=mine >> "$GITHUB_ENV"
        env: { CI: x }
      - run: test "$CI" = mine
`,
        '    env: { CI: "false" }\n',
      ),
      "cache-hit": only(`      - id: miss
        uses: actions/cache@v4
        with: { path: data, key: hit-a }
      - run: test "\${{ steps.miss.outputs.cache-hit }}" = "" && mkdir -p data && echo x > data/f
`),
      "cache-again": only(`      - id: other
        uses: actions/cache/restore@v4
        with: { path: data, key: hit-b, restore-keys: hit- }
      - run: test "\${{ steps.other.outputs.cache-hit }}" = false && test "$(cat data/f)" = x && rm -r data
      - id: hit
        uses: actions/cache/restore@v4
        with: { path: data, key: hit-a }
      - run: test "\${{ steps.hit.outputs.cache-hit }}" = true && test "$(cat data/f)" = x
`),
      posts: only(
        `      - uses: actions/checkout@v4
      - uses: ./.github/actions/post
      - run: sleep 30
      - if: always()
        run: sleep 0.5 && echo "cleaned up"
`,
        "    timeout-minutes: 0.05\n",
      ),
      daemon: only(`      - run: |
          setsid sleep 4321 >/dev/null 2>&1 &
          sleep 4322 &
`),
      artifacts: `${ON}jobs:
${job(`      - run: |
          mkdir -p out/deep .hidden/in other && echo 1 > out/a.txt && echo 2 > out/deep/b.txt && echo h > out/.h && echo i > .hidden/in/i.txt && echo o > other/o.txt
      - uses: actions/upload-artifact@v4
        with: { name: several, path: "out/a.txt\\nnothing/here.txt" }
      - uses: actions/upload-artifact@v4
        with: { name: pattern, path: "out/**/*.txt" }
      - uses: actions/upload-artifact@v4
        with: { name: taken, path: "out\\n!out/deep" }
      - uses: actions/upload-artifact@v4
        with: { name: inside-hidden, path: .hidden/in }
      - { id: bad, continue-on-error: true, uses: actions/upload-artifact@v4, with: { name: "a:b", path: out } }
      - { id: none, continue-on-error: true, uses: actions/upload-artifact@v4, with: { name: none, path: gone, if-no-files-found: error } }
      - { id: unknown, continue-on-error: true, uses: actions/upload-artifact@v4, with: { name: u, path: out, if-no-files-found: perhaps } }
      - { id: twice, continue-on-error: true, uses: actions/upload-artifact@v4, with: { name: taken, path: out } }
      - run: "touch 'out/x:y'"
      - { id: path, continue-on-error: true, uses: actions/upload-artifact@v4, with: { name: p, path: out } }
      - run: test "\${{ steps.bad.outcome }}\${{ steps.none.outcome }}\${{ steps.unknown.outcome }}\${{ steps.twice.outcome }}\${{ steps.path.outcome }}" = failurefailurefailurefailurefailure
`)}  use:
    needs: a
    runs-on: ubuntu-latest
    steps:
      - uses: actions/download-artifact@v4
      - run: |
          find . -type f | sort
          test -f several/out/a.txt && test -f pattern/deep/b.txt && test -f taken/a.txt && test ! -e taken/deep && test -f inside-hidden/i.txt
          test ! -e pattern/.h
      - uses: actions/download-artifact@v4
        with: { pattern: "{several,inside*}", merge-multiple: true, path: merged }
      - run: test -f merged/out/a.txt && test -f merged/i.txt && test ! -e merged/several
`,
      "by-link": only(`      - uses: actions/checkout@v4
      - run: |
          rm -r here/linked && mkdir -p /tmp/esteira-action && ln -s /tmp/esteira-action here/linked
          printf 'runs:\\n  using: composite\\n  steps: [{ shell: sh, run: echo from-outside }]\\n' > /tmp/esteira-action/action.yml
      - uses: ./here/linked
`),
      granted: only(
        `      - env: { A: "\${{ secrets['KEY'] }}", B: "\${{ secrets[format('{0}', 'KEY')] }}", C: "\${{ secrets[github.ref_name] }}" }
        run: test "$A" = super-secret-value && test "$B" = "$A" && test -z "$C"
`,
      ),
      inputs: `on:
  workflow_dispatch:
    inputs:
      dry: { type: boolean, default: false }
      count: { type: number, default: 2 }
      event: { type: string, default: mine }
jobs:
${job(`      - env: { ALL: "\${{ toJSON(github.event.inputs) }}" }
        run: |
          echo "$ALL"
          test "\${{ github.event.inputs.dry == 'false' }} \${{ inputs.dry == false }} \${{ github.event.inputs.count == '2' }} \${{ inputs.event }}" = "true true true theirs"
          test "$(node -p 'typeof require(process.env.GITHUB_EVENT_PATH).inputs.dry')" = string
`)}`,
      events: only(`      - if: github.event_name == 'pull_request'
        run: test "\${{ github.event.pull_request.head.repo.full_name == github.repository }} \${{ github.event.pull_request.head.repo.fork }} \${{ github.event.pull_request.base.ref }} \${{ github.event.number }}" = "true false main 1"
`),
      numbered: only(`      - run: echo "number=$GITHUB_RUN_NUMBER attempt=$GITHUB_RUN_ATTEMPT"\n`),
      token: `${ON}jobs:
  call: { uses: ./.github/workflows/called.yml, secrets: { OTHER: "\${{ secrets.KEY }}" } }
`,
      called: `on: { workflow_call: { secrets: { OTHER: {} } } }
jobs:
${job(`      - env: { T: "\${{ secrets.GITHUB_TOKEN }}", G: "\${{ github.token }}", O: "\${{ secrets.OTHER }}", K: "\${{ secrets.KEY }}" }
        run: test "$T" = tttttttttttt && test "$G" = "$T" && test "$O" = super-secret-value && test -z "$K"
`)}`,
      twice: `${ON}jobs:
  one: { uses: ./.github/workflows/bad.yml }
  two: { uses: ./.github/workflows/bad.yml }
`,
      bad: "on: workflow_call\njobs: { x: { runs-on: ubuntu-latest, steps: [{ uses: docker://alpine }] } }\n",
      guarded: only("      - run: echo x\n", "    environment: Production\n"),
      "guarded-later": `${ON}jobs:
  list: { runs-on: ubuntu-latest, outputs: { e: "\${{ steps.l.outputs.e }}" }, steps: [{ id: l, run: "echo e=production >> $GITHUB_OUTPUT" }] }
  deploy: { needs: list, runs-on: ubuntu-latest, environment: { name: "\${{ needs.list.outputs.e }}" }, steps: [{ run: "echo deployed" }] }
`,
      installs: only(
        "      - uses: ruby/setup-ruby@v1\n        with: { bundler-cache: true }\n      - uses: shivammathur/setup-php@v2\n        with: { coverage: none }\n",
      ),
      sudo: only("      - run: |\n          sudo apt-get install -y tree\n      - run: echo pseudo sudo-like\n"),
      unguarded: only("      - run: echo x\n", "    environment: { name: preview }\n"),
      "here/linked/action.yml": "name: l\nruns: { using: composite, steps: [] }\n",
      "./kept.txt": "first\n",
      "./gone.txt": "first\n",
      ".github/actions/post/action.yml": "name: p\nruns: { using: node20, main: main.js, post: post.js }\n",
      ".github/actions/post/main.js": "\n",
      ".github/actions/post/post.js": 'setTimeout(() => console.log("post is done"), 300);\n',
    },
    {
      secrets: ["KEY", "GITHUB_TOKEN"],
      isProtected: (environment) => environment.toLowerCase() === "production",
    },
    { KEY: "super-secret-value", GITHUB_TOKEN: "tttttttttttt" },
  );
  const told = new Map(repository.found.map((one) => [one.name, one]));
  const succeeds = async (name: string, params: Readonly<Record<string, unknown>> = {}): Promise<string> => {
    const ended = await repository.run(name, params);
    const log = (await Promise.all(Object.keys(ended.outcomes).map((step) => ended.log(step)))).join("\n");
    assert.equal(ended.status, "succeeded", `${JSON.stringify(ended.steps.map(({ error }) => error ?? null))}\n${log}`);
    return log;
  };

  it("mask secrets in annotations, also those that are masked later, and what they are encoded to", async () => {
    const ended = await repository.run("masked");
    assert.doesNotMatch(JSON.stringify(ended.steps), /super-secret-value|later-secret/);
    assert.equal((factsOf(ended, "a")["annotations"] as readonly unknown[]).length, 2);
    const encoded = Buffer.from("super-secret-value").toString("base64");
    assert.ok(!(await ended.log("a")).includes(encoded));
  });

  it("skip what needs a job that is left out, unless its condition asks for the status", async () => {
    assert.equal(told.get("left-out")?.state, "ready");
    const [left] = told.get("left-out")?.leftOut ?? [];
    assert.match(left?.message ?? "", /job "win" runs on windows-latest: this machine runs Linux/);
    assert.equal(left?.line, 3);
    const ended = await repository.run("left-out");
    assert.deepEqual(ended.outcomes, { after: "skipped", anyway: "succeeded", "no-failure": "succeeded" });
    assert.match(await ended.log("anyway"), /win=skipped after=skipped/);
  });

  it("run the combinations that are for Linux, and those of outputs when they are known", async () => {
    assert.equal(told.get("part-left-out")?.leftOut.length, 2);
    assert.deepEqual((await repository.run("part-left-out")).outcomes, { test: "succeeded", after: "succeeded" });
    const ended = await repository.run("dynamic-system");
    assert.equal(ended.status, "succeeded");
    const log = await ended.log("each");
    assert.match(log, /\non=ubuntu-latest/);
    assert.match(log, /Left out: it runs on windows-latest/);
    assert.doesNotMatch(log, /\non=windows/);
  });

  it("check out what is staged, changed, taken away and new", async () => {
    const git = (...args: string[]) => execFileSync("git", ["-C", repository.folder, ...args]);
    await writeFile(join(repository.folder, "new.txt"), "new\n");
    await writeFile(join(repository.folder, "kept.txt"), "changed\n");
    git("add", "new.txt", "kept.txt");
    git("rm", "-q", "gone.txt");
    await writeFile(join(repository.folder, "other.txt"), "untracked\n");
    await succeeds("staged");
    git("reset", "-q", "--hard");
    await rm(join(repository.folder, "other.txt"));
  });

  it("give steps outputs that they can open by name, read to the last line", async () => {
    const log = await succeeds("outputs");
    assert.match(log, /first\n[^]*second\n[^]*out=third\n/);
    assert.equal(log.match(/^x{100}$/gm)?.length, 3000);
    assert.match(log, /^last$/m);
  });

  it("let a workflow set CI", async () => {
    await succeeds("ci");
  });

  it("tell a miss, a restored key and a hit of a cache apart", async () => {
    await succeeds("cache-hit");
    await succeeds("cache-again");
  });

  it("clean up after the time of the job is over, and leave no process behind", async () => {
    const ended = await repository.run("posts");
    const log = await ended.log("a");
    assert.match(log, /cleaned up/);
    assert.match(log, /post is done/);
    await succeeds("daemon");
    const left = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
    assert.doesNotMatch(left, /sleep 432[12]/);
  });

  it("keep and give artifacts as version 4 does", async () => {
    await succeeds("artifacts");
  });

  it("take no local action that a link leads to", async () => {
    const ended = await repository.run("by-link");
    assert.equal(ended.status, "failed");
    assert.match(await ended.log("a"), /leads out of the repository/);
  });

  it("give a secret that an index names, and none that is known only when it runs", async () => {
    await succeeds("granted");
    assert.match(JSON.stringify(told.get("granted")?.warnings), /known only when it runs/);
  });

  it("tell inputs as texts in the event, and with their types beside it; one may be called event", async () => {
    assert.equal(told.get("inputs")?.eventParam, "github_event");
    await succeeds("inputs", { event: "theirs" });
    await succeeds("inputs", { event: "theirs", github_event: { name: "workflow_dispatch" } });
  });

  it("know where a pull request comes from", async () => {
    await succeeds("events", { event: { name: "pull_request" } });
  });

  it("number their runs", async () => {
    assert.match(await succeeds("numbered"), /number=1 attempt=1/);
    assert.match(await succeeds("numbered"), /number=2 attempt=1/);
  });

  it("give a called workflow the token, and of the rest what is handed on", async () => {
    await succeeds("token");
  });

  it("report a problem once", () => {
    assert.equal(told.get("twice")?.problems.length, 1);
    assert.equal(told.get("twice")?.problems[0]?.file, ".github/workflows/bad.yml");
  });

  it("say which inputs of a tool's set-up do nothing", () => {
    const said = (told.get("installs")?.warnings ?? []).map(({ message }) => message);
    assert.deepEqual(said, [
      "bundler-cache of ruby/setup-ruby does nothing here: the tool is the machine's, with what it has",
    ]);
  });

  it("warn of sudo", () => {
    assert.match(told.get("sudo")?.warnings[0]?.message ?? "", /calls sudo/);
    assert.equal(told.get("sudo")?.warnings.length, 1);
  });

  it("are refused for an environment that the project guards, also when it is known late", async () => {
    assert.equal(told.get("guarded")?.state, "refused");
    assert.match(told.get("guarded")?.problems[0]?.message ?? "", /environment Production, which the project guards/);
    const ended = await repository.run("guarded-later");
    assert.equal(ended.outcomes["deploy"], "failed");
    assert.doesNotMatch(await ended.log("deploy"), /deployed/);
    assert.match(JSON.stringify(ended.steps), /WORKFLOWS_ENVIRONMENT_GUARDED/);
    assert.equal(told.get("unguarded")?.state, "ready");
    assert.match(JSON.stringify(told.get("unguarded")?.warnings), /the environment preview is a name here/);
  });
});

describe("strict projects", async () => {
  const repository = await createRepository(
    {
      win: "on: push\njobs: { a: { runs-on: windows-latest, steps: [{ run: x }] }, b: { runs-on: ubuntu-latest, steps: [{ run: x }] } }\n",
    },
    { unsupported: "strict" },
  );
  it("refuse what others leave out", () => {
    assert.equal(repository.found[0]?.state, "refused");
    assert.equal(repository.found[0]?.problems.length, 1);
  });
});

describe("a mirror", async () => {
  const { temporaryFolder } = await import("../setup/stores.ts");
  const mirror = await temporaryFolder();
  const remote = join(mirror, "acme/flows@v2");
  await mkdir(join(remote, ".github/workflows"), { recursive: true });
  await mkdir(join(remote, "lib"), { recursive: true });
  await mkdir(join(remote, "sub"), { recursive: true });
  await writeFile(
    join(remote, ".github/workflows/ci.yml"),
    "on: { workflow_call: { inputs: { who: { type: string } } } }\njobs:\n  t: { runs-on: ubuntu-latest, steps: [{ run: 'echo hello ${{ inputs.who }}' }, { uses: acme/flows/sub@v2 }] }\n  inner: { uses: ./.github/workflows/inner.yml }\n",
  );
  await writeFile(
    join(remote, ".github/workflows/inner.yml"),
    "on: workflow_call\njobs: { u: { runs-on: ubuntu-latest, steps: [{ run: echo inner }] } }\n",
  );
  await writeFile(join(remote, "sub/action.yml"), "name: s\nruns: { using: node20, main: ../lib/main.js }\n");
  await writeFile(join(remote, "lib/main.js"), 'console.log("from the library");\n');
  await symlink("/etc", join(mirror, "acme/etc@v1"));
  const repository = await createRepository(
    {
      calls: `${ON}jobs: { x: { uses: "acme/flows/.github/workflows/ci.yml@v2", with: { who: Ana } } }\n`,
      missing: `${ON}jobs: { x: { uses: "acme/none/.github/workflows/ci.yml@v1" }, y: { runs-on: ubuntu-latest, steps: [{ uses: acme/thing@v3 }, { uses: acme/etc@v1 }] } }\n`,
    },
    { mirror },
  );
  const told = new Map(repository.found.map((one) => [one.name, one]));
  it("holds workflows of other repositories, and what these call", async () => {
    const ended = await repository.run("calls");
    assert.deepEqual(ended.outcomes, { "x.t": "succeeded", "x.inner.u": "succeeded" });
    assert.match(await ended.log("x.t"), /hello Ana[^]*from the library/);
  });
  it("is told what it lacks", () => {
    assert.deepEqual(told.get("missing")?.missing, ["acme/none@v1", "acme/thing@v3", "acme/etc@v1"]);
    assert.match(told.get("missing")?.problems[0]?.hint ?? "", /Put its repository there as acme\/none@v1/);
  });
});

it("texts of a matrix are compared without their case", () => {
  const matrix = {
    os: ["Linux", "Mac"],
    n: [1, 2],
    exclude: [{ os: "MAC", n: 2 }],
    include: [{ os: "linux", extra: true }],
  };
  assert.deepEqual(expandMatrix(matrix, "j"), [
    { os: "linux", n: 1, extra: true },
    { os: "linux", n: 2, extra: true },
    { os: "Mac", n: 1 },
  ]);
});

it("a pattern with a range that goes backwards matches nothing", () => {
  assert.equal(passesFilter("b", ["[z-a]"]), false);
  assert.equal(passesFilter("b", ["[z-a]", "b"]), true);
});

it("secrets are named by members, by indexes, and all at once", () => {
  const names = (source: string, matrices: readonly Readonly<Record<string, string>>[] = []) => {
    const found = findSecretNames([source], matrices);
    return [[...found.names].sort(), found.isAll, found.unknown.length];
  };
  assert.deepEqual(names("secrets.a && SECRETS['b']"), [["A", "B"], false, 0]);
  assert.deepEqual(names("secrets[format('{0}_KEY', 'x')]"), [["X_KEY"], false, 0]);
  assert.deepEqual(names("secrets[matrix.k]", [{ k: "one" }, { k: "two" }]), [["ONE", "TWO"], false, 0]);
  assert.deepEqual(names("secrets[matrix.k]"), [[], false, 1]);
  assert.deepEqual(names("secrets[github.event.x]"), [[], false, 1]);
  assert.deepEqual(names("secrets[secrets.which]"), [["WHICH"], false, 1]);
  assert.deepEqual(names("toJSON(secrets)"), [[], true, 0]);
  assert.deepEqual(names("secrets.*"), [[], true, 0]);
  assert.deepEqual(names("'secrets.no' == github.secrets.x"), [[], false, 0]);
  assert.deepEqual(names("github.token"), [["GITHUB_TOKEN"], false, 0]);
});
