import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isEsteiraError, newId } from "#base";
import type { Executor, ProcessHandle } from "#engine";
import type { ProcessResult, ProcessSpec } from "#pipeline";

interface Started {
  readonly handle: ProcessHandle;
  readonly output: { stdout: string; stderr: string };
}

/**
 * What every executor must do, whatever it runs processes on.
 *
 * @param isSandboxed bubblewrap answers 128 + n for a command that signal n ended: such codes read as the signal
 */
export function describeExecutor(
  title: string,
  create: (folder: string) => Executor,
  { isSandboxed = false }: { readonly isSandboxed?: boolean } = {},
): void {
  describe(`the executor ${title}`, () => {
    const setting = async () => {
      const folder = await mkdtemp(join(tmpdir(), "esteira-executor-"));
      after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
      const executor = create(folder);
      const start = async (command: ProcessSpec["command"], more: Partial<ProcessSpec> = {}): Promise<Started> => {
        const output = { stdout: "", stderr: "" };
        const handle = await executor.submit(
          { attemptId: newId(), command, workingFolder: folder, environment: {}, ...more },
          (stream, text) => {
            output[stream] += text;
          },
        );
        return { handle, output };
      };
      const run = async (
        command: ProcessSpec["command"],
        more: Partial<ProcessSpec> = {},
      ): Promise<ProcessResult & Started["output"]> => {
        const { handle, output } = await start(command, more);
        return { ...(await handle.ended), ...output };
      };
      return { folder, executor, start, run };
    };
    /** Argument of a `sleep` that no other process has: process numbers of a sandbox are its own. */
    const uniqueSleep = (): string => `6${String(randomInt(1_000_000_000)).padStart(9, "0")}.5`;
    const isRunning = (mark: string): boolean =>
      execFileSync("ps", ["-axo", "stat,args"], { encoding: "utf8" })
        .split("\n")
        .some((line) => line.includes(`sleep ${mark}`) && !line.includes("/bin/sh") && !line.startsWith("Z"));
    const whenRunning = async (mark: string): Promise<void> => {
      while (!isRunning(mark)) await delay(10);
    };
    /** What a sandbox takes down with it is gone a moment after its end. */
    const assertGone = async (mark: string): Promise<void> => {
      for (let tries = 0; tries < 100 && isRunning(mark); tries++) await delay(20);
      assert.ok(!isRunning(mark), `sleep ${mark} still runs`);
    };

    it("tells exit codes from signals", async () => {
      const { run } = await setting();
      assert.deepEqual(
        [
          (await run(["true"])).exitCode,
          (await run({ shell: "exit 1" })).exitCode,
          (await run({ shell: "exit 137" })).exitCode,
        ],
        [0, 1, isSandboxed ? undefined : 137],
      );
      const killed = await run({ shell: "kill -KILL $$" });
      assert.deepEqual([killed.exitCode, killed.signal, killed.endedBy], [undefined, "SIGKILL", "itself"]);
    });

    it("says what is missing: the command, the interpreter, the folder", async () => {
      const { run: start, folder } = await setting();
      await assert.rejects(start(["no-such-command"]), (error) => isEsteiraError(error, "EXECUTORS_COMMAND_MISSING"));
      await assert.rejects(start(["true"], { workingFolder: join(folder, "nowhere") }), (error) =>
        isEsteiraError(error, "EXECUTORS_FOLDER_UNUSABLE"),
      );
      await writeFile(join(folder, "script"), "#!/no/such/interpreter\n", { mode: 0o755 });
      await assert.rejects(start(["./script"]), (error) => isEsteiraError(error, "EXECUTORS_START_FAILED"));
    });

    it("starts an attempt once, however often it is asked", async () => {
      const { start, folder } = await setting();
      const attemptId = newId();
      const [first, second] = await Promise.all([
        start({ shell: "echo x >> once" }, { attemptId }),
        start({ shell: "echo x >> once" }, { attemptId }),
      ]);
      assert.equal(first.handle, second.handle);
      await first.handle.ended;
      assert.equal(await readFile(join(folder, "once"), "utf8"), "x\n");
    });

    it("stops a shell line at the first error", async () => {
      const { run } = await setting();
      assert.deepEqual([(await run({ shell: "false; echo on" })).stdout], [""]);
    });

    it("gives output in order, with characters whole, a last line without end, and bytes that are no UTF-8", async () => {
      const { run } = await setting();
      const text = await run({
        shell:
          "for i in 1 2 3 4 5; do echo $i; done; printf '\\303'; sleep 0.05; printf '\\251'; printf '\\377'; printf end; echo err >&2",
      });
      assert.deepEqual([text.stdout, text.stderr], ["1\n2\n3\n4\n5\né\uFFFDend", "err\n"]);
    });

    it("passes 20 MB of output", async () => {
      const { executor, folder } = await setting();
      let length = 0;
      const handle = await executor.submit(
        {
          attemptId: newId(),
          command: { shell: "yes 0123456789 | head -c 20000000" },
          workingFolder: folder,
          environment: {},
        },
        async (_, text) => {
          length += text.length;
          await delay(0);
        },
      );
      await handle.ended;
      assert.equal(length, 20_000_000);
    });

    it("ends what a process left behind, and the whole tree on cancel, also what ignores SIGTERM or has its own session", async () => {
      const { run, start } = await setting();
      const [left, stubborn, own] = [uniqueSleep(), uniqueSleep(), uniqueSleep()];
      await run({ shell: `sleep ${left} & sleep 0.1` });
      await assertGone(left);
      const { handle } = await start(
        {
          shell: `trap '' TERM; (trap '' TERM; sleep ${stubborn}) & setsid sleep ${own} & wait; sleep 600`,
        },
        { gracePeriodMs: 200 },
      );
      for (const mark of [stubborn, own]) await whenRunning(mark);
      await Promise.all([handle.cancel(), handle.cancel()]);
      assert.equal((await handle.ended).endedBy, "cancel");
      for (const mark of [stubborn, own]) await assertGone(mark);
      await handle.cancel();
    });

    it("lets a process end by its own handler within the grace period", async () => {
      const { start } = await setting();
      const { handle, output } = await start({
        shell: "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done",
      });
      while (output.stdout === "") await delay(10);
      await handle.cancel();
      assert.deepEqual([(await handle.ended).exitCode, output.stdout], [3, "ready\nbye\n"]);
    });

    it("ends the tree at the timeout", async () => {
      const { run } = await setting();
      const result = await run({ shell: "sleep 600 & sleep 600" }, { timeoutMs: 100 });
      assert.deepEqual([result.endedBy, result.exitCode], ["timeout", undefined]);
    });

    it("ends by reaping what another engine left", async () => {
      const { start, executor } = await setting();
      const orphan = uniqueSleep();
      const { handle } = await start({ shell: `setsid sleep ${orphan} & sleep 600` });
      await whenRunning(orphan);
      await executor.reap(handle.reference);
      await assertGone(orphan);
      // What is not of this machine cannot say how it ended once it is forgotten.
      if (executor.outliving === undefined) assert.equal((await handle.ended).signal, "SIGKILL");
      else await assert.rejects(handle.ended, (error) => isEsteiraError(error, "PIPELINE_PLACE_LOST"));
    });

    it("shows a process nothing but what is declared", async () => {
      const { run } = await setting();
      process.env["ESTEIRA_TEST_LEAK"] = "leak";
      const { stdout } = await run(
        { shell: "env | sort; touch $HOME/file $TMPDIR/file" },
        { environment: { GIVEN: "yes" } },
      );
      delete process.env["ESTEIRA_TEST_LEAK"];
      const names = stdout
        .trim()
        .split("\n")
        .map((line) => line.split("=")[0]);
      assert.deepEqual(names, [
        "ESTEIRA_ATTEMPT_ID",
        "ESTEIRA_ENGINE",
        "GIVEN",
        "HOME",
        "LANG",
        "PATH",
        "PWD",
        "TMPDIR",
      ]);
    });

    it("masks secrets that arrive in pieces, and holds back no other text", async () => {
      const { run } = await setting();
      const { stdout } = await run(
        { shell: "printf 'a pass'; sleep 0.05; printf 'word-1 b pass'; sleep 0.05; printf 'enger'" },
        { secrets: ["password-1"] },
      );
      assert.equal(stdout, "a *** b passenger");
    });

    it("masks what is easily made of a secret, and a secret over several lines or outputs", async () => {
      const { run } = await setting();
      const secret = "s3cr3t value/+ü-47";
      const bytes = Buffer.from(secret);
      const forms = [
        ...[0, 1, 2, 3].map((before) => Buffer.from(`${"a".repeat(before)}${secret}zz`).toString("base64")),
        Buffer.from(`??${secret}??`).toString("base64url"),
        bytes.toString("hex"),
        bytes.toString("hex").toUpperCase(),
        encodeURIComponent(secret),
        Array.from(secret).toReversed().join(""),
        `${secret.slice(0, 7)}\n${secret.slice(7)}`,
        bytes.toString("base64").replaceAll(/(.{5})/g, "$1\r\n"),
      ];
      for (const [index, form] of forms.entries()) {
        const half = Math.floor(form.length / 2);
        const { stdout } = await run(
          { shell: 'printf %s "$ONE"; sleep 0.05; printf "%s\\nnext\\n" "$TWO"' },
          { secrets: [secret], environment: { ONE: `x ${form.slice(0, half)}`, TWO: `${form.slice(half)} y` } },
        );
        assert.match(stdout, /^x \S{0,4}\*\*\*\s{0,2}\S{0,6} y\nnext\n$/, `form ${index}: ${stdout}`);
      }
    });

    it("gives secrets as files that only its process reads, in no variable, and gone at its end", async () => {
      const { run } = await setting();
      const secret = "s3cr3t \n line ü";
      const { stdout } = await run(
        {
          shell:
            'echo "$KEY_FILE"; stat -c %a "$KEY_FILE"; wc -c < "$KEY_FILE"; tail -n 1 "$KEY_FILE"; echo; tr "\\0" "\\n" < /proc/self/environ | grep -c line; echo x 2>/dev/null > "$KEY_FILE" || echo kept',
        },
        { secretFiles: { KEY: secret }, isolation: {} },
      );
      const [file = "", mode, size, line] = stdout.split("\n");
      assert.match(file, /^(\/run\/secrets|\/dev\/shm\/esteira-secrets-[^/]+|\/.*esteira-secrets-[^/]+)\/KEY$/);
      assert.deepEqual([mode, size, line], ["400", String(Buffer.byteLength(secret)), " line ü"]);
      assert.match(stdout, /\n0\n/, "it is in no variable");
      await assert.rejects(readFile(file));
    });

    it("runs 100 processes at once", async () => {
      const { run } = await setting();
      const results = await Promise.all(Array.from({ length: 100 }, (_, index) => run({ shell: `echo ${index}` })));
      assert.ok(results.every((result, index) => result.exitCode === 0 && result.stdout === `${index}\n`));
    });

    it("keeps a sandboxed process from writing outside, or says why there is no sandbox", async () => {
      const { run, folder } = await setting();
      try {
        const result = await run(
          {
            shell: "echo in > inside; echo out > /etc/esteira-test-outside && echo wrote; ls /proc | grep -c '^[0-9]'",
          },
          { isolation: { atLeast: "sandbox" } },
        );
        assert.equal(await readFile(join(folder, "inside"), "utf8"), "in\n");
        assert.doesNotMatch(result.stdout, /wrote/);
      } catch (error) {
        assert.ok(isEsteiraError(error, "EXECUTORS_SANDBOX_UNAVAILABLE"), String(error));
        assert.ok((error.hint ?? "").length > 0);
      }
    });
  });
}
