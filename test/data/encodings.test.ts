import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type { CaptureDeclaration } from "#data";
import { type DataProject, openDataProject } from "./data-project.ts";

type Csv = CaptureDeclaration["capture"]["csv"];

async function captureText(
  bytes: Buffer,
  name = "a.csv",
  csv?: Csv,
): Promise<DataProject & { readonly names: readonly unknown[] }> {
  const project = await openDataProject("sqlite");
  await writeFile(join(project.folder, name), bytes);
  const { versions } = await project.runCapture({ capture: { files: name, ...(csv === undefined ? {} : { csv }) } });
  const rows = await project.rows(versions[0], "select name from d");
  return { ...project, names: rows.map(({ name: value }) => value) };
}

/** Letters as a code page of Windows has them. */
function inCodePage(page: string, text: string): Buffer {
  const bytes = new Map<string, number>();
  const decoder = new TextDecoder(page);
  for (let byte = 0; byte < 256; byte++) bytes.set(decoder.decode(Buffer.from([byte])), byte);
  return Buffer.from([...text].map((letter) => bytes.get(letter) ?? assert.fail(letter)));
}

function zip(project: DataProject, name: string, ...files: readonly string[]): void {
  execFileSync(
    "python3",
    [
      "-c",
      "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED); [z.write(f, 'inner/' + f) for f in sys.argv[2:]]",
      name,
      ...files,
    ],
    { cwd: project.folder },
  );
}

describe("CSV files of other encodings", () => {
  it("are taken for what they look like, and the log says so", async () => {
    const western = await captureText(inCodePage("windows-1252", "id;name\n1;Conceição “€”\n"));
    assert.deepEqual(western.names, ["Conceição “€”"]);
    assert.match(western.logged.join("\n"), /a\.csv: taken for windows-1252/);
    assert.match(western.logged.join("\n"), /separated by ";"/);
    for (const mark of [
      [0xff, 0xfe],
      [0xfe, 0xff],
    ] as const) {
      const text = Buffer.from("id,name\n1,日本 🚂\n", "utf16le");
      const bytes = Buffer.concat([Buffer.from(mark), mark[0] === 0xff ? text : text.swap16()]);
      assert.deepEqual((await captureText(bytes)).names, ["日本 🚂"]);
    }
    const marked = await captureText(Buffer.from("\uFEFFname\nJosé\n"));
    assert.deepEqual([marked.names, marked.logged.filter((text) => /taken for/.test(text))], [["José"], []]);
  });

  it("are read as it is declared, packed ones too, and one that cannot be is held back", async () => {
    for (const [encoding, text] of [
      ["windows-1251", "Привет"],
      ["cp1250", "Łódź"],
      ["windows-1253", "Ωμέγα"],
      ["koi8-r", "Привет"],
    ] as const) {
      const bytes = inCodePage(encoding.replace(/^cp/, "windows-"), `id,name\n1,${text}\n`);
      assert.deepEqual((await captureText(bytes, "a.csv", { encoding })).names, [text]);
      assert.deepEqual((await captureText(gzipSync(bytes), "a.csv.gz", { encoding })).names, [text]);
    }
    await assert.rejects(
      captureText(Buffer.from([0x69, 0x64, 0x0a, 0x81, 0x0a]), "a.csv", { encoding: "shift_jis" }),
      /not readable as shift_jis/,
    );
  });

  it("keep a damaged line apart in a file that is UTF-8, with its line", async () => {
    const { names, batches } = await captureText(
      Buffer.concat([Buffer.from("id,name\n1,José\n2,"), Buffer.from([0xff]), Buffer.from("\n3,ação\n")]),
    );
    assert.deepEqual(names, ["José", "ação"]);
    assert.equal((await batches())[0]?.rows, 1);
  });
});

describe("files in a zip", () => {
  it("are read as what their name says, with lines of their own", async () => {
    const project = await openDataProject("sqlite");
    await project.write("a.csv", "id,name\n1,ana\nx,y,z\n");
    await project.write("b.ndjson", '{"id": 2, "name": "bia"}\n');
    await writeFile(join(project.folder, "c.csv"), inCodePage("windows-1252", "id,name\n3,João\n"));
    for (const [name, file] of [
      ["a.csv.zip", "a.csv"],
      ["b.zip", "b.ndjson"],
      ["c.zip", "c.csv"],
    ] as const)
      zip(project, name, file);
    const { versions } = await project.runCapture({ capture: { files: "*.zip" } });
    assert.deepEqual(await project.rows(versions[0], "select name from d order by id"), [
      { name: "ana" },
      { name: "bia" },
      { name: "João" },
    ]);
    const [batch] = await project.batches();
    assert.equal((await project.held(batch))[0]?.["line"], 3);
  });

  it("are held back whole when there are several, or none that can be read", async () => {
    const project = await openDataProject("sqlite");
    await project.write("a.csv", "id\n1\n");
    await project.write("b.csv", "id\n1\n");
    zip(project, "two.zip", "a.csv", "b.csv");
    await project.write("broken.zip", "PK is not enough");
    await project.runCapture({ capture: { files: ["a.csv", "*.zip"] } });
    const problems = new Map((await project.batches()).map(({ sourcePath, fileProblem }) => [sourcePath, fileProblem]));
    assert.match(problems.get("two.zip") ?? "", /a zip with 2 files \(inner\/a\.csv, inner\/b\.csv\)/);
    assert.match(problems.get("broken.zip") ?? "", /not a whole zip file/);
  });
});
