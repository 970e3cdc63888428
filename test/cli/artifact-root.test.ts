import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ArtifactPlaces, readArtifactPlaces } from "../../src/cli/artifact-root.ts";

const here = { workingFolder: "/home/ana/here", usage: "up" };
const read = (text: string): ArtifactPlaces["root"] => readArtifactPlaces({ "artifact-root": text }, here).root;
const destination = (text: string): string | undefined =>
  readArtifactPlaces({ "artifacts-destination": text }, here).destination;

describe("--artifact-root", () => {
  it("is what MLflow hands out: through the server, or the root itself, a plain path made absolute", () => {
    assert.deepEqual(readArtifactPlaces({}, here).root, undefined);
    for (const text of ["mlflow-artifacts:/", "mlflow-artifacts:", "MLFLOW-ARTIFACTS:/"])
      assert.equal(read(text), undefined);
    const roots: Readonly<Record<string, readonly [string, string | undefined]>> = {
      "/data/artifacts": ["/data/artifacts", "/data/artifacts"],
      artifacts: ["/home/ana/here/artifacts", "/home/ana/here/artifacts"],
      "../a b": ["/home/ana/a b", "/home/ana/a b"],
      "file:///data/artifacts": ["file:///data/artifacts", "/data/artifacts"],
      "file:///data/artifacts/": ["file:///data/artifacts", "/data/artifacts"],
      "file:/data/artifacts": ["file:///data/artifacts", "/data/artifacts"],
      "FILE://localhost/data": ["file:///data", "/data"],
      "file:///a%20b/caf%C3%A9%25": ["file:///a%20b/caf%C3%A9%25", "/a b/café%"],
      // A client would take these for a query, a fragment, params or an encoding.
      "./s3:data": ["file:///home/ana/here/s3:data", "/home/ana/here/s3:data"],
      "100%": ["file:///home/ana/here/100%25", "/home/ana/here/100%"],
      "/a?b;c#d": ["file:///a%3Fb%3Bc%23d", "/a?b;c#d"],
      "s3://bucket/key/": ["s3://bucket/key", undefined],
      "S3://bucket": ["s3://bucket", undefined],
      "gs://bucket/x": ["gs://bucket/x", undefined],
      "wasbs://c@a.blob.core.windows.net/x": ["wasbs://c@a.blob.core.windows.net/x", undefined],
      "hdfs:///user/ana": ["hdfs:///user/ana", undefined],
    };
    for (const [text, [uri, folder]] of Object.entries(roots)) assert.deepEqual(read(text), { uri, folder }, text);
  });

  it("is refused, with what to do, when it is anything else", () => {
    const refused: readonly (readonly [string, RegExp])[] = [
      ["http://host/artifacts", /Artifacts of another server/],
      ["https://host/artifacts", /cannot be kept in https:.*Artifacts of another server/],
      ["mlflow-artifacts:/0/x", /--artifacts-destination names the folder/],
      ["dbfs:/x", /cannot be kept in dbfs:.*Supported: .*s3:/],
      ["runs:/x", /cannot be kept in runs:/],
      ["s3:", /no bucket/],
      ["s3:///key", /no bucket/],
      ["hdfs:///", /no bucket or path/],
      ["s3://key:secret@bucket/x", /password/],
      ["s3://bucket/a?b", /no query/],
      ["s3://bucket/../b", /no query.*'\.\.'/],
      ["file://server/share", /of this machine/],
      ["file:artifacts", /absolute/],
      ["file:///a?b", /no query/],
      ["file:///a#b", /no query and no fragment/],
      ["file:///a%2Fb", /cannot be read/],
      ["file:///a%zz", /cannot be read/],
      ["file:///a%00b", /cannot be read/],
      ["file:///a%0ab", /control character/],
      ["file:///", /everything on this machine/],
      ["/", /everything on this machine/],
      ["", /is empty.*Supported/],
    ];
    for (const [text, says] of refused)
      assert.throws(
        () => read(text),
        (error: Error & { code: string }) => error.code === "CLI_USAGE_WRONG" && says.test(error.message),
        text,
      );
  });

  it("and --artifacts-destination never hold the store", () => {
    const places = readArtifactPlaces({ "artifact-root": "file:///data", "artifacts-destination": "kept" }, here);
    assert.throws(
      () => places.assertApart("/data/store"),
      /--artifact-root is \/data: the store \/data\/store lies in it/,
    );
    assert.throws(
      () => places.assertApart("/home/ana/here/kept"),
      /--artifacts-destination is .*whoever may read artifacts would read the store/,
    );
    places.assertApart("/home/ana/here/.esteira");
    places.assertApart("/database");
    readArtifactPlaces({ "artifact-root": "/data/store/artifacts" }, here).assertApart("/data/store");
  });
});

describe("--artifacts-destination", () => {
  it("is a folder, absolute or relative, or a file: URI", () => {
    assert.equal(readArtifactPlaces({}, here).destination, undefined);
    const folders = {
      "/data/artifacts": "/data/artifacts",
      kept: "/home/ana/here/kept",
      "100%": "/home/ana/here/100%",
      "file:///a%20b/": "/a b",
    };
    for (const [text, folder] of Object.entries(folders)) assert.equal(destination(text), folder, text);
  });

  it("is refused, with what to do, when it is anything else", () => {
    const refused: readonly (readonly [string, RegExp])[] = [
      ["s3://bucket/key", /cannot keep artifacts in s3:.*--artifact-root/],
      ["mlflow-artifacts:/", /cannot keep artifacts in mlflow-artifacts:/],
      ["file://server/share", /of this machine/],
      ["/", /everything on this machine/],
      ["", /expected a folder/],
    ];
    for (const [text, says] of refused)
      assert.throws(
        () => destination(text),
        (error: Error & { code: string }) => error.code === "CLI_USAGE_WRONG" && says.test(error.message),
        text,
      );
  });
});
