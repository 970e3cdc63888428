// Workflows that use what real ones use, about as often: each with how it ends here.
import type { EndedRun } from "./repository.ts";

export interface Case {
  readonly yaml: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly status: "succeeded" | "failed";
  readonly outcomes: Readonly<Record<string, string>>;
  /** What stands in the log of a step, and what does not. */
  readonly says?: Readonly<Record<string, readonly (string | RegExp)[]>>;
  readonly saysNot?: Readonly<Record<string, readonly string[]>>;
  readonly check?: (ended: EndedRun) => void;
}

const ON = "on: { push: { branches: [main] }, pull_request: {}, workflow_dispatch: {} }\n";
const job = (steps: string, more = ""): string => `  a:\n    runs-on: ubuntu-latest\n${more}    steps:\n${steps}`;

export const CASES: Readonly<Record<string, Case>> = {
  checkout: {
    yaml: `${ON}permissions: { contents: read }\njobs:\n${job(`      - run: test ! -e README.md
      - uses: actions/checkout@v4
        with: { persist-credentials: false, fetch-depth: 0 }
      - run: |
          test -f README.md
          git log -1 --format=%s
          git diff --exit-code
          git checkout -q -b other && git -c user.name=x -c user.email=x@y.z commit -q --allow-empty -m mine
      - run: test "$(git rev-parse HEAD~1)" = "$GITHUB_SHA" -o -n "$GITHUB_SHA"
`)}`,
    status: "succeeded",
    outcomes: { a: "succeeded" },
    says: { a: ["first", "HEAD is now at"] },
  },
  "matrix-static": {
    yaml: `${ON}permissions: read-all\njobs:\n${job(
      `      - run: echo "cell=\${{ matrix.os }}/\${{ matrix.node }}/\${{ matrix.extra }} \${{ strategy.job-index }} of \${{ strategy.job-total }}"\n`,
      `    strategy:
      fail-fast: false
      max-parallel: 2
      matrix:
        os: [ubuntu-latest]
        node: [20, 22, 24]
        exclude: [{ node: 20 }]
        include: [{ node: 24, extra: yes }, { os: ubuntu-22.04, node: 18 }]
`,
    )}`,
    status: "succeeded",
    outcomes: { a: "succeeded succeeded succeeded" },
    says: { a: ["cell=ubuntu-latest/22/ 0 of 3", "cell=ubuntu-latest/24/yes 1 of 3", "cell=ubuntu-22.04/18/ 2 of 3"] },
  },
  "matrix-fails": {
    yaml: `${ON}jobs:\n${job(`      - run: exit \${{ matrix.n }}\n`, `    strategy: { fail-fast: false, matrix: { n: [0, 1, 0] } }\n`)}  after:
    needs: a
    runs-on: ubuntu-latest
    steps: [{ run: echo never }]
  always:
    needs: [a]
    if: \${{ always() && needs.a.result == 'failure' }}
    runs-on: ubuntu-latest
    steps: [{ run: "echo result=\${{ needs.a.result }}" }]
`,
    status: "failed",
    outcomes: { a: "succeeded failed succeeded", after: "skipped", always: "succeeded" },
    says: { always: ["result=failure"] },
  },
  "matrix-from-output": {
    yaml: `${ON}jobs:
  list:
    runs-on: ubuntu-latest
    outputs: { items: "\${{ steps.find.outputs.items }}" }
    steps:
      - id: find
        run: echo 'items=["x","y"]' >> "$GITHUB_OUTPUT"
  each:
    needs: list
    runs-on: ubuntu-latest
    strategy: { matrix: { item: "\${{ fromJSON(needs.list.outputs.items) }}" } }
    steps: [{ run: "echo item=\${{ matrix.item }}." }]
`,
    status: "succeeded",
    outcomes: { list: "succeeded", each: "succeeded" },
    says: { each: ["item=x.", "item=y."] },
  },
  outputs: {
    yaml: `${ON}jobs:
  first:
    runs-on: ubuntu-latest
    outputs:
      one: \${{ steps.s.outputs.one }}
      many: \${{ steps.s.outputs.many }}
    steps:
      - id: s
        run: |
          echo "one=1" >> "$GITHUB_OUTPUT"
          { echo "many<<END"; echo "a"; echo "b=c"; echo "END"; } >> "$GITHUB_OUTPUT"
      - run: echo "::set-output name=old::way"
        id: old
      - run: test "\${{ steps.old.outputs.old }}" = way
  second:
    needs: first
    runs-on: ubuntu-latest
    env: { MANY: "\${{ needs.first.outputs.many }}" }
    steps:
      - run: test "\${{ needs.first.outputs.one }}" = 1 && test "$MANY" = "$(printf 'a\\nb=c')"
`,
    status: "succeeded",
    outcomes: { first: "succeeded", second: "succeeded" },
  },
  "environment-files": {
    yaml: `${ON}env: { TOP: top, OVER: workflow }\njobs:\n${job(
      `      - run: |
          echo "NEXT=from \${{ env.TOP }}" >> "$GITHUB_ENV"
          mkdir -p "$RUNNER_TEMP/tools" && printf '#!/bin/sh\\necho found' > "$RUNNER_TEMP/tools/mine" && chmod +x "$RUNNER_TEMP/tools/mine"
          echo "$RUNNER_TEMP/tools" >> "$GITHUB_PATH"
          echo "# Summary" >> "$GITHUB_STEP_SUMMARY"
          echo "NODE_OPTIONS=--require=/evil" >> "$GITHUB_ENV"
      - run: test "$NEXT" = "from top" && test "$(mine)" = found && test -z "$NODE_OPTIONS"
      - run: test "$OVER" = step && test "\${{ env.OVER }}" = step
        env: { OVER: step }
      - run: test "$OVER" = job && test "$CI" = true && test "$GITHUB_ACTIONS" = true
`,
      "    env: { OVER: job }\n",
    )}`,
    status: "succeeded",
    outcomes: { a: "succeeded" },
  },
  conditions: {
    yaml: `${ON}jobs:\n${job(`      - run: echo no
        if: github.ref == 'refs/heads/other'
      - run: echo yes-branch
        if: github.ref_name == 'main' && startsWith(github.repository, 'local/')
      - id: bad
        run: exit 3
      - run: echo not-after
      - run: echo only-after-failure
        if: failure() && steps.bad.outcome == 'failure'
      - run: echo in-any-case \${{ job.status }}
        if: always()
`)}  b:
    if: github.event_name == 'pull_request'
    runs-on: ubuntu-latest
    steps: [{ run: echo never }]
  c:
    needs: b
    runs-on: ubuntu-latest
    steps: [{ run: echo never }]
`,
    params: { event: "push" },
    status: "failed",
    outcomes: { a: "failed", b: "skipped", c: "skipped" },
    says: { a: ["yes-branch\n", "only-after-failure\n", "in-any-case failure\n"] },
    saysNot: { a: ["\nno\n", "\nnot-after\n"] },
  },
  "continue-on-error": {
    yaml: `${ON}jobs:\n${job(`      - id: try
        run: exit 1
        continue-on-error: true
      - run: echo "\${{ steps.try.outcome }} \${{ steps.try.conclusion }}"
`)}  b:
    runs-on: ubuntu-latest
    continue-on-error: true
    steps: [{ run: exit 1 }]
  c:
    needs: [a, b]
    runs-on: ubuntu-latest
    steps: [{ run: "echo after=\${{ needs.b.result }}" }]
`,
    status: "succeeded",
    outcomes: { a: "succeeded", b: "succeeded", c: "succeeded" },
    says: { a: ["failure success\n"], c: ["after=success"] },
  },
  functions: {
    yaml: `${ON}jobs:\n${job(`      - uses: actions/checkout@v4
      - env:
          CONTAINS: \${{ contains(fromJSON('["push","pull_request"]'), 'push') }}
          FORMAT: \${{ format('{0}-{1}', 'a', 2) }}
          JOIN: \${{ join(fromJSON('["a","b"]'), '+') }}
          HASH: \${{ hashFiles('**/package-lock.json', 'none') }}
          NONE: \${{ hashFiles('nothing/**') }}
          TERNARY: \${{ github.event_name == 'push' && 'yes' || 'no' }}
          STAR: \${{ join(fromJSON('[{"n":1},{"n":2}]').*.n, ',') }}
          NUMBER: \${{ 010 == '10' }}
        run: |
          test "$CONTAINS $FORMAT $JOIN $TERNARY $STAR" = "true a-2 a+b yes 1,2"
          test \${#HASH} = 64 && test -z "$NONE"
`)}`,
    params: { event: "push" },
    status: "succeeded",
    outcomes: { a: "succeeded" },
  },
  shells: {
    yaml: `${ON}defaults: { run: { shell: bash, working-directory: sub } }\njobs:\n${job(`      - uses: actions/checkout@v4
      - run: test "$(basename "$PWD")" = sub && [[ -n "$BASH" ]]
      - run: "import os; print('from python', 1 + 1)"
        shell: python
      - run: echo plain
        shell: sh
        working-directory: .
      - run: print "perl $0\\n";
        shell: perl {0}
      - run: "false | true"
        shell: bash
`)}`,
    status: "failed",
    outcomes: { a: "failed" },
    says: { a: ["from python 2", "plain", /perl \S+script-/] },
  },
  commands: {
    yaml: `${ON}jobs:\n${job(`      - run: |
          echo "::group::Numbers"
          echo one
          echo "::endgroup::"
          echo "::add-mask::hidden-word"
          echo "it says hidden-word"
          echo "::error file=src/a.ts,line=3,title=Wrong::it is wrong%0Aindeed"
          echo "::warning::careful"
          echo "::stop-commands::pause-it"
          echo "::error::not a command"
          echo "::pause-it::"
          echo "::notice::told"
`)}`,
    status: "succeeded",
    outcomes: { a: "succeeded" },
    says: { a: ["▸ Numbers", "it says ***", "Error: src/a.ts:3: it is wrong", "::error::not a command"] },
    // The script itself is shown before it can mask anything.
    saysNot: { a: ["\nit says hidden-word"] },
  },
  "refused-command": {
    yaml: `${ON}jobs:\n${job(`      - run: echo "::set-env name=PATH::/evil"\n`)}`,
    status: "failed",
    outcomes: { a: "failed" },
    says: { a: ["::set-env:: is refused"] },
  },
  timeouts: {
    yaml: `${ON}jobs:\n${job(`      - run: sleep 60
        timeout-minutes: 0.02
        continue-on-error: true
      - run: echo went on
`)}  b:
    runs-on: ubuntu-latest
    timeout-minutes: 0.03
    steps:
      - run: sleep 60
      - run: echo never-reached
      - if: always()
        run: echo cleaned
`,
    status: "failed",
    outcomes: { a: "succeeded", b: "failed" },
    says: { a: ["went on"], b: ["more than 0.03 minutes"] },
  },
  secrets: {
    yaml: `${ON}jobs:\n${job(`      - env: { TOKEN: "\${{ secrets.DEPLOY_KEY }}", OTHER: "\${{ secrets.NOT_GRANTED }}" }
        run: |
          test \${#TOKEN} = 16 && test -z "$OTHER"
          echo "the key is $TOKEN"
          printenv | grep -q granted-but-unnamed && exit 1 || true
      - run: test -z "$DEPLOY_KEY"
`)}`,
    status: "succeeded",
    outcomes: { a: "succeeded" },
    says: { a: [/the key is \*+/] },
    saysNot: { a: ["0123456789abcdef"] },
  },
  vars: {
    yaml: `${ON}jobs:\n${job(`      - run: test "\${{ vars.REGION }}" = eu && test -z "\${{ vars.NONE }}"\n`)}`,
    status: "succeeded",
    outcomes: { a: "succeeded" },
  },
  dispatch: {
    yaml: `on:
  workflow_dispatch:
    inputs:
      level: { type: choice, options: [low, high], default: low }
      dry: { type: boolean, default: true }
      count: { type: number, default: 3 }
      name: { required: true, description: Who }
jobs:
${job(`      - run: echo "\${{ inputs.level }} \${{ inputs.dry }} \${{ inputs.count }} $WHO"
        env: { WHO: "\${{ github.event.inputs.name || inputs.name }}" }
      - if: inputs.dry
        run: echo never
`)}`,
    params: { level: "high", dry: false, name: "ana" },
    status: "succeeded",
    outcomes: { a: "succeeded" },
    says: { a: ["high false 3 ana"] },
    saysNot: { a: ["\nnever\n"] },
  },
  "pull-request": {
    yaml: `${ON}jobs:\n${job(`      - run: echo "$GITHUB_EVENT_NAME $GITHUB_HEAD_REF $GITHUB_BASE_REF $GITHUB_REF"
      - run: test "$(node -p 'require(process.env.GITHUB_EVENT_PATH).pull_request.title')" = "A title"
`)}`,
    params: {
      event: { name: "pull_request", head_ref: "topic", payload: { pull_request: { number: 7, title: "A title" } } },
    },
    status: "succeeded",
    outcomes: { a: "succeeded" },
    says: { a: ["pull_request topic main refs/pull/7/merge"] },
  },
  "called-by-others": {
    yaml: `on:
  workflow_call:
    inputs: { who: { type: string, default: nobody }, loud: { type: boolean, required: true } }
    outputs: { said: { value: "\${{ jobs.say.outputs.said }}" } }
    secrets: { KEY: { required: false } }
jobs:
  say:
    runs-on: ubuntu-latest
    outputs: { said: "\${{ steps.s.outputs.said }}" }
    steps:
      - id: s
        env: { KEY: "\${{ secrets.KEY }}" }
        run: echo "said=\${{ inputs.loud && 'HELLO' || 'hello' }} \${{ inputs.who }} \${#KEY}" >> "$GITHUB_OUTPUT"
`,
    status: "succeeded",
    outcomes: {},
  },
  calls: {
    yaml: `${ON}jobs:
  before: { runs-on: ubuntu-latest, outputs: { w: "\${{ steps.x.outputs.w }}" }, steps: [{ id: x, run: 'echo w=you >> "$GITHUB_OUTPUT"' }] }
  call:
    needs: before
    uses: ./.github/workflows/called-by-others.yml
    with: { who: "\${{ needs.before.outputs.w }}", loud: true }
    secrets: { KEY: "\${{ secrets.DEPLOY_KEY }}" }
  not: { uses: ./.github/workflows/called-by-others.yml, if: false, with: { loud: false } }
  after: { needs: [call, not], if: "!failure()", runs-on: ubuntu-latest, steps: [{ run: 'echo "said=\${{ needs.call.outputs.said }} \${{ needs.not.result }}"' }] }
`,
    status: "succeeded",
    outcomes: { before: "succeeded", "call.say": "succeeded", "not.say": "skipped", after: "succeeded" },
    says: { after: ["said=HELLO you 16 skipped"] },
  },
  "composite-action": {
    yaml: `${ON}jobs:\n${job(`      - uses: actions/checkout@v4
      - id: greet
        uses: ./.github/actions/greet
        with: { who: Rui }
      - run: test "\${{ steps.greet.outputs.text }}" = "Hello Rui!" && test "$GREETED" = yes
`)}`,
    status: "succeeded",
    outcomes: { a: "succeeded" },
  },
  "javascript-action": {
    yaml: `${ON}jobs:\n${job(`      - uses: actions/checkout@v4
      - id: js
        uses: ./.github/actions/script
        with: { some input: value }
      - run: test "\${{ steps.js.outputs.doubled }}" = "valuevalue"
`)}`,
    status: "succeeded",
    outcomes: { a: "succeeded" },
    says: { a: [/before[^]*main value[^]*after main-state/] },
  },
  "mirrored-action": {
    yaml: `${ON}jobs:\n${job(`      - uses: some/tool@v1
        with: { text: abc }
      - uses: some/tool/inner@v1
`)}`,
    status: "succeeded",
    outcomes: { a: "succeeded" },
    says: { a: ["tool says abc", "inner tool"] },
  },
  artifacts: {
    yaml: `${ON}jobs:
  make:
    runs-on: ubuntu-latest
    steps:
      - run: mkdir -p out/deep && echo one > out/a.txt && echo two > out/deep/b.txt && echo hidden > out/.c
      - uses: actions/upload-artifact@v4
        with: { name: out, path: out/, retention-days: 1 }
      - uses: actions/upload-artifact@v4
        with: { name: single, path: out/a.txt, if-no-files-found: error }
      - uses: actions/upload-artifact@v4
        with: { name: none, path: nothing/*, if-no-files-found: ignore }
  use:
    needs: make
    runs-on: ubuntu-latest
    steps:
      - uses: actions/download-artifact@v4
        with: { name: out, path: got }
      - run: test "$(cat got/a.txt got/deep/b.txt | tr '\\n' ' ')" = "one two " && test ! -e got/.c
      - uses: actions/download-artifact@v4
      - run: test -f single/a.txt && test -f out/deep/b.txt
`,
    status: "succeeded",
    outcomes: { make: "succeeded", use: "succeeded" },
  },
  "setup-tools": {
    yaml: `${ON}jobs:\n${job(`      - uses: actions/checkout@v4
      - id: node
        uses: actions/setup-node@v4
        with: { node-version: 24.x, cache: npm }
      - run: case "$(node --version)" in v24.*) ;; *) exit 1 ;; esac
      - run: test -n "\${{ steps.node.outputs.node-version }}"
`)}`,
    status: "succeeded",
    outcomes: { a: "succeeded" },
  },
  "github-script": {
    yaml: `${ON}jobs:\n${job(`      - id: s
        uses: actions/github-script@v7
        env: { GIVEN: x }
        with:
          script: |
            core.info("hello " + context.repo.repo + " " + process.env.GIVEN);
            core.setOutput("two", 1 + 1);
            await core.summary.addHeading("Title").write();
            return { a: [1] };
      - run: test '\${{ steps.s.outputs.result }}' = '{"a":[1]}' && test "\${{ steps.s.outputs.two }}" = 2
      - uses: actions/github-script@v7
        with: { script: "await github.rest.issues.createComment({ body: 'x' })" }
`)}`,
    status: "failed",
    outcomes: { a: "failed" },
    says: { a: ["hello p x", "github.rest.issues.createComment() asks GitHub, which is not possible here"] },
  },
  coverage: {
    yaml: `${ON}jobs:\n${job(`      - run: mkdir c && printf 'SF:a\\nLF:10\\nLH:8\\nend_of_record\\n' > c/lcov.info
      - uses: codecov/codecov-action@v5
        with: { token: "\${{ secrets.CODECOV_TOKEN }}" }
`)}`,
    status: "succeeded",
    outcomes: { a: "succeeded" },
    says: { a: ["Coverage: 80.00 %"] },
  },
  concurrency: {
    yaml: `${ON}concurrency: { group: "\${{ github.workflow }}-\${{ github.ref }}", cancel-in-progress: true }\njobs:\n${job(`      - run: echo alone\n`, `    concurrency: deploy\n    environment: { name: staging, url: "https://example.org" }\n`)}`,
    status: "succeeded",
    outcomes: { a: "succeeded" },
  },
  "ancestor-skipped": {
    yaml: `${ON}jobs:
  a: { if: false, runs-on: ubuntu-latest, steps: [{ run: "true" }] }
  b: { needs: a, if: always(), runs-on: ubuntu-latest, steps: [{ run: "echo b" }] }
  c: { needs: b, runs-on: ubuntu-latest, steps: [{ run: "echo c" }] }
  d: { needs: b, if: "!cancelled() && needs.b.result == 'success'", runs-on: ubuntu-latest, steps: [{ run: "echo d" }] }
`,
    status: "succeeded",
    outcomes: { a: "skipped", b: "succeeded", c: "skipped", d: "succeeded" },
  },
  "failed-outputs": {
    yaml: `${ON}jobs:
  a: { runs-on: ubuntu-latest, outputs: { why: "\${{ steps.s.outputs.why }}" }, steps: [{ id: s, run: 'echo why=disk >> "$GITHUB_OUTPUT"; exit 4' }] }
  report: { needs: a, if: failure(), runs-on: ubuntu-latest, steps: [{ run: 'echo "because \${{ needs.a.outputs.why }}"' }] }
`,
    status: "failed",
    outcomes: { a: "failed", report: "succeeded" },
    says: { report: ["because disk"] },
  },
  anchors: {
    yaml: `on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: &steps [{ run: echo shared }]\n  b: { runs-on: ubuntu-latest, steps: *steps }\n`,
    status: "succeeded",
    outcomes: { a: "succeeded", b: "succeeded" },
  },
};

/** Files that the workflows above find in their repository. */
export const FILES: Readonly<Record<string, string>> = {
  "./README.md": "# A repository\n",
  "./package-lock.json": "{}\n",
  "sub/file.txt": "x\n",
  ".github/actions/greet/action.yml": `name: greet
inputs: { who: { default: world }, sign: { default: "!" } }
outputs: { text: { value: "\${{ steps.say.outputs.text }}" } }
runs:
  using: composite
  steps:
    - id: say
      shell: bash
      run: |
        echo "text=Hello \${{ inputs.who }}\${{ inputs.sign }}" >> "$GITHUB_OUTPUT"
        echo "GREETED=yes" >> "$GITHUB_ENV"
        test -f "\${{ github.action_path }}/action.yml"
    - if: failure()
      shell: bash
      run: exit 1
`,
  ".github/actions/script/action.yml": `name: script
inputs: { some input: { required: true } }
outputs: { doubled: {} }
runs: { using: node20, main: main.js, pre: pre.js, post: post.js }
`,
  ".github/actions/script/pre.js": 'console.log("before");\n',
  ".github/actions/script/main.js": `const fs = require("node:fs");
const value = process.env.INPUT_SOME_INPUT;
console.log("main " + value);
fs.appendFileSync(process.env.GITHUB_OUTPUT, "doubled=" + value + value + "\\n");
fs.appendFileSync(process.env.GITHUB_STATE, "kept=main-state\\n");
`,
  ".github/actions/script/post.js": 'console.log("after " + process.env.STATE_kept);\n',
};
