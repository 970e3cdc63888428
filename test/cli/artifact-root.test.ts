import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readArtifactRoot } from "../../src/cli/artifact-root.ts";

const read = (text: string): string | undefined => readArtifactRoot({ "artifact-root": text }, { workingFolder: "/home/ana/here", usage: "up" });

describe("--artifact-root", () => {
  it("is a folder, absolute or relative, or a file: URI", () => {
    assert.equal(readArtifactRoot({}, { workingFolder: "/home/ana/here", usage: "up" }), undefined);
    assert.equal(read("mlflow-artifacts:/"), undefined);
    const folders = {
      "/data/artifacts": "/data/artifacts",
      artifacts: "/home/ana/here/artifacts",
      "../a b": "/home/ana/a b",
      "./s3:data": "/home/ana/here/s3:data",
      "100%": "/home/ana/here/100%",
      "file:///data/artifacts": "/data/artifacts",
      "file:///data/artifacts/": "/data/artifacts",
      "file:/data/artifacts": "/data/artifacts",
      "FILE://localhost/data": "/data",
      "file:///a%20b/caf%C3%A9%25": "/a b/café%",
    };
    for (const [text, folder] of Object.entries(folders)) assert.equal(read(text), folder, text);
  });

  it("is refused, with what to do, when it is anything else", () => {
    const refused: readonly (readonly [string, RegExp])[] = [
      ["s3://bucket/key", /cannot be kept in s3:.*Mount it as a folder/],
      ["gs://bucket", /cannot be kept in gs:/],
      ["http://host/artifacts", /Artifacts of another server/],
      ["https://host/artifacts", /cannot be kept in https:.*Artifacts of another server/],
      ["mlflow-artifacts:/0/x", /name the folder itself/],
      ["wasbs://c@a.blob.core.windows.net/x", /Supported: a folder/],
      ["file://server/share", /of this machine/],
      ["file:artifacts", /absolute/],
      ["file:///a?b", /no query/],
      ["file:///a#b", /no query and no fragment/],
      ["file:///a%2Fb", /cannot be read/],
      ["file:///a%zz", /cannot be read/],
      ["file:///a%00b", /cannot be read/],
      ["", /expected a folder/],
    ];
    for (const [text, says] of refused) assert.throws(() => read(text), (error: Error & { code: string }) => error.code === "CLI_USAGE_WRONG" && says.test(error.message), text);
  });
});
