// Files of a project are edited while `esteira up` runs.
import assert from "node:assert/strict";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { startServer } from "../setup/started-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

interface Overview {
  readonly problems?: readonly { readonly file: string; readonly line: number; readonly message: string }[];
}

interface Pipelines {
  readonly items: readonly {
    readonly name: string;
    readonly triggers?: readonly { readonly on: string; readonly cron?: string; readonly subject?: string }[];
  }[];
}

describe("a project that is edited while it is up", () => {
  it("is followed without a restart: new pipelines, changed schedules, and a broken file that leaves the last good one in force", async () => {
    const folder = await temporaryFolder();
    const pipeline = (name: string): string => join(folder, "pipelines", `${name}.yaml`);
    await mkdir(join(folder, "pipelines"));
    await writeFile(join(folder, "esteira.yaml"), "name: edited\n");
    await writeFile(pipeline("first"), "on: { schedule: '0 3 * * *' }\nsteps:\n  hello: { run: echo hello }\n");
    const server = await startServer(folder);
    try {
      const read = async <Answer>(path: string): Promise<Answer> =>
        (await (await fetch(`${server.url}/api/v1${path}`)).json()) as Answer;
      const until = async <Answer>(path: string, isThere: (answer: Answer) => boolean): Promise<Answer> => {
        for (;;) {
          const answer = await read<Answer>(path);
          if (isThere(answer)) return answer;
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      };
      const names = ({ items }: Pipelines): string[] => items.map(({ name }) => name);
      await until<Pipelines>("/pipelines", (answer) => names(answer).join() === "first");

      // As editors do it: written beside, then moved into place.
      await writeFile(`${pipeline("second")}~`, "steps:\n  bye: { run: echo bye }\n");
      await rename(`${pipeline("second")}~`, pipeline("second"));
      await until<Pipelines>("/pipelines", (answer) => names(answer).join() === "first,second");
      const started = await fetch(`${server.url}/api/v1/pipelines/second/runs`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: "{}",
      });
      assert.equal(started.status, 200, await started.clone().text());
      const { id } = (await started.json()) as { id: string };
      await until<{ readonly status: string }>(`/pipeline-runs/${id}`, ({ status }) => status === "succeeded");

      await writeFile(pipeline("first"), "on: { schedule: '30 4 * * *' }\nsteps:\n  hello: { run: echo hello }\n");
      await until<object>("/pipelines/first", (answer) => JSON.stringify(answer).includes("30 4 * * *"));

      await writeFile(pipeline("first"), "on: { schedule: '45 5 * * *' }\nsteps:\n  hello: { rum: echo hello }\n");
      const { problems } = await until<Overview>("/overview", (answer) => (answer.problems ?? []).length > 0);
      assert.deepEqual([problems?.[0]?.file, problems?.[0]?.line], ["pipelines/first.yaml", 3]);
      assert.match(
        JSON.stringify(await read("/pipelines/first")),
        /30 4 \* \* \*/,
        "the last good project stays in force",
      );

      await writeFile(pipeline("first"), "on: { schedule: '45 5 * * *' }\nsteps:\n  hello: { run: echo hello }\n");
      await until<object>("/pipelines/first", (answer) => JSON.stringify(answer).includes("45 5 * * *"));
      assert.deepEqual((await read<Overview>("/overview")).problems, []);

      await rm(pipeline("second"));
      await until<Pipelines>("/pipelines", (answer) => names(answer).join() === "first");
    } finally {
      await server.stop();
    }
  });
});
