// What the pages say of a run whose engine was killed, while no other has taken it over:
// a server that works on no pipeline shows it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { access, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Overview, Page as ApiPage, PipelineRunSummary } from "#api";
import { buildWeb } from "../../scripts/build-web.ts";
import { launchBrowser, needsBrowser } from "../setup/browser.ts";
import { runEsteira, signalGroup, startEsteira } from "../setup/command-line.ts";
import { openTestServer } from "../setup/opened-server.ts";

describe("a run whose engine was killed", needsBrowser, async () => {
  if (needsBrowser.skip !== false) return;

  it(
    "is not called running by any page, in either language, and the run's page says why and what makes it go on",
    { timeout: 180_000 },
    async () => {
      await buildWeb({ quiet: true });
      const { url, folder, platform } = await openTestServer({
        yaml: "isolation: none\n",
        prepare: async (place) => {
          await mkdir(join(place, "pipelines"));
          await writeFile(
            join(place, "pipelines/slow.yaml"),
            `steps:\n  first: { run: "true" }\n  wait: { run: "touch ${place}/started; sleep 100", needs: first }\n`,
          );
        },
      });
      await (await platform.whole()).registerProject("maria");
      const running = startEsteira(folder, ["run", "slow"]);
      while (
        !(await access(join(folder, "started")).then(
          () => true,
          () => false,
        ))
      )
        await delay(50);
      const exit = once(running.child, "exit");
      signalGroup(running.child, "SIGKILL");
      await exit;
      const ask = async <Answer>(path: string): Promise<Answer> =>
        (await (await fetch(`${url}/api/v1${path}`)).json()) as Answer;
      const [run] = (await ask<ApiPage<PipelineRunSummary>>("/pipeline-runs")).items;
      assert.equal(run?.isAbandoned, true);
      const overview = await ask<Overview>("/overview");
      assert.deepEqual(
        [
          overview.parcels.length,
          overview.parcelCount,
          overview.runs[0]?.isAbandoned,
          overview.code?.find(({ name }) => name === "check")?.state,
        ],
        [0, 0, true, "attention"],
      );

      const browser = await launchBrowser();
      after(() => browser.close());
      for (const [locale, gone, running, reason] of [
        ["en-US", "Engine gone", /running/i, /The engine that worked on it was killed/],
        ["pt-BR", "Sem motor", /rodando|em execução/i, /O motor que trabalhava nela foi encerrado/],
      ] as const) {
        const context = await browser.newContext({
          locale,
          viewport: { width: 390, height: 900 },
          reducedMotion: "reduce",
        });
        const page = await context.newPage();
        for (const path of [`/runs/${run.id}`, "/pipelines", "/pipelines?tab=runs", "/pipelines/slow", "/"]) {
          await page.goto(url + path);
          await page.locator("main").getByText(gone).first().waitFor();
          assert.equal(
            await page.locator("main .state, main .state-mark, main .outcomes").getByText(running).count(),
            0,
            `${path} says that it runs`,
          );
          assert.equal(await page.locator(".timeline-bar-running, .parcel").count(), 0, path);
          assert.equal(
            await page.evaluate("document.documentElement.scrollWidth <= innerWidth"),
            true,
            `${path} is wider than the screen`,
          );
        }
        await page.goto(`${url}/runs/${run.id}`);
        await page.locator(".note").getByText(reason).waitFor();
        await page.locator(".note").getByText(`esteira run --resume ${run.id}`).waitFor();
        await context.close();
      }
      const status = await runEsteira(folder, ["status", run.id]);
      assert.match(status.stdout.split("\n")[0] ?? "", /engine gone.*its engine is gone; esteira run --resume/);
      assert.match(status.stdout, /wait +run +■ engine gone/);
      assert.doesNotMatch((await runEsteira(folder, ["status"])).stdout, /running/);
    },
  );
});
