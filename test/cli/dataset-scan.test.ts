import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

it("esteira dataset scan names columns with personal data and prints none; show tells what treatments changed", async () => {
  const folder = await temporaryFolder();
  for (const name of ["pipelines", "data"]) await mkdir(join(folder, name));
  await writeFile(join(folder, "esteira.yaml"), "name: p\n");
  await writeFile(
    join(folder, "pipelines/p.yaml"),
    "steps:\n  people: { capture: { files: data/*.csv }, contract: people.yaml }\n",
  );
  await writeFile(
    join(folder, "people.yaml"),
    "apiVersion: v3.1.0\nkind: DataContract\nid: people\nversion: 1.0.0\nstatus: active\nschema:\n  - name: people\n    properties:\n      - name: name\n        logicalType: string\n        customProperties: [{ property: treatment, value: { trim: true } }]\n",
  );
  await writeFile(
    join(folder, "data/a.csv"),
    'name,"it\'s ""a"" document",n\n Ana ,529.982.247-25,1\nBia,111.444.777-35,2\nLia,123.456.789-09,3\n',
  );
  assert.equal((await runEsteira(folder, ["run", "p"])).code, 0);
  const { code, stdout, stderr } = await runEsteira(folder, ["dataset", "scan", "people"]);
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /document_?: 3 of 3 different values are of the kind cpf[\s\S]*classification: personal[\s\S]*hash: PERSON_KEY/,
  );
  assert.doesNotMatch(stdout, /529|Ana/);
  assert.match((await runEsteira(folder, ["dataset", "show", "people"])).stderr, /name: trim changed 1 of the values/);
  assert.match((await runEsteira(folder, ["dataset", "scan", "peple"])).stderr, /no dataset peple/);
});
