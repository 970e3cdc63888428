// A model from the first row to its monitor, as the guides say: a Python environment is made once, which takes minutes.
import { after, before, describe, it } from "node:test";
import { createGuideReader, type GuideReader } from "../setup/guide-reader.ts";

describe("a reader who follows the guides about models, in one project, with users in the store and access.loopback none", () => {
  let reader: GuideReader;
  before(async () => {
    reader = await createGuideReader();
  });
  after(() => reader.leave());

  for (const guide of ["features-and-training.md", "approvals-and-deployment.md", "monitoring.md"])
    it(`reaches the end of ${guide}`, () => reader.follow(guide));
});
