// What the command line says of runs that failed, and of runs whose engine was killed.
import assert from "node:assert/strict";
import { once } from "node:events";
import { access, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { runEsteira, signalGroup, startEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

it(
  "status tells why a run failed and that an engine is gone; run --resume finishes that one, and joins none that an engine works on",
  { timeout: 180_000 },
  async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, "pipelines"));
    await writeFile(join(folder, "esteira.yaml"), "name: ships\nisolation: none\n");
    await writeFile(
      join(folder, "pipelines/slow.yaml"),
      `steps:\n  wait: { run: "touch ${folder}/started; test -e ${folder}/go || sleep 100" }\n`,
    );
    await writeFile(
      join(folder, "pipelines/bad.yaml"),
      "steps:\n  load: { run: \"echo no such table >&2; exit 4\" }\n  after: { run: 'true', needs: load }\n",
    );
    const running = startEsteira(folder, ["run", "slow"]);
    while (
      !(await access(join(folder, "started")).then(
        () => true,
        () => false,
      ))
    )
      await delay(50);
    const joined = await runEsteira(folder, ["run", "--resume"]);
    assert.equal(joined.code, 2, joined.stderr);
    assert.match(joined.stderr, /No pipeline run is left to finish/);
    const healthy = await runEsteira(folder, ["status"]);
    assert.doesNotMatch(healthy.stdout, /engine is gone/);
    const exit = once(running.child, "exit");
    signalGroup(running.child, "SIGKILL");
    await exit;
    await runEsteira(folder, ["run", "bad"]);
    const status = await runEsteira(folder, ["status"]);
    assert.match(status.stdout, /slow.*its engine is gone; esteira run --resume 01/);
    assert.match(status.stdout, /bad.*load: The command of step "load" ended with exit 4; it said last: no such table/);
    await writeFile(join(folder, "go"), "");
    const [, id = ""] = /esteira run --resume (\w+)/.exec(status.stdout) ?? [];
    const resumed = await runEsteira(folder, ["run", "--resume", id]);
    assert.equal(resumed.code, 0, resumed.stderr);
  },
);
