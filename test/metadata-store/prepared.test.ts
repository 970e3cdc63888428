import assert from "node:assert/strict";
import { it } from "node:test";
import { appendEvent, listEvents } from "#metadata-store";
import { describeStores, openTestStore } from "../setup/stores.ts";

describeStores("statements that are built once", (kind) => {
  it("take the values of each run, whatever they are, also side by side in two stores", async () => {
    const one = await openTestStore(kind);
    const other = await openTestStore(kind);
    const subjects = ["plain", 'it\'s "quoted" ? $1', "🙂\n", "", "null"];
    await Promise.all(
      subjects.flatMap((subject, index) =>
        [one, other].map(({ store }) =>
          store.write((transaction) =>
            appendEvent(transaction, {
              atMs: index,
              project: "p",
              type: "pipeline_run.started",
              subjectKind: "pipeline_run",
              subject,
              actor: "ana",
              data: { pipeline: subject },
            }),
          ),
        ),
      ),
    );
    for (const { store } of [one, other]) {
      const events = await store.read((transaction) => listEvents(transaction, { project: "p", limit: 10 }));
      assert.deepEqual(
        events
          .map(({ atMs, subject, data }) => [atMs, subject, data])
          .toSorted(([one], [other]) => Number(one) - Number(other)),
        subjects.map((subject, index) => [index, subject, { pipeline: subject }]),
      );
    }
  });
});
