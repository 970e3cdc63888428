import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkParameters, injectedSource, parseNotebook, readParameters } from "#notebooks";
import { notebookText } from "./notebook-text.ts";

const DECLARATION =
  'import os\nmax_depth: int = 6  # trees are this deep\nrate = 0.1\nname: str\nmode: Literal["fast", "full"] = "fast"\ncolumns: list[str] = ["a", "b"]\nlimit: Optional[int] = None\nlegacy = 3 # type: float  Old style\n';

async function declared(source = DECLARATION, later = "print(max_depth)"): ReturnType<typeof readParameters> {
  return readParameters(parseNotebook(notebookText([{ source, tags: ["parameters"] }, { source: later }]), "t.ipynb"));
}

describe("parameters of a notebook", () => {
  it("are the literal assignments of the cell tagged parameters, with type, default and help", async () => {
    const { parameters, problems } = await declared();
    assert.deepEqual(problems, []);
    assert.deepEqual(
      parameters.map(({ name, typeText, required, default: value, help }) => [name, typeText, required, value, help]),
      [
        ["max_depth", "int", false, 6, "trees are this deep"],
        ["rate", "float", false, 0.1, undefined],
        ["name", "str", true, undefined, undefined],
        ["mode", 'Literal["fast", "full"]', false, "fast", undefined],
        ["columns", "list[str]", false, ["a", "b"], undefined],
        ["limit", "Optional[int]", false, null, undefined],
        ["legacy", "float", false, 3, "Old style"],
      ],
    );
  });

  it("are refused when unknown, ill-typed or missing, with the nearest name", async () => {
    const messages = checkParameters(await declared(), {
      max_dept: 3,
      max_depth: "6",
      rate: 1,
      mode: "slow",
      columns: ["a", 1],
      limit: true,
    });
    assert.deepEqual(
      messages.map(({ message, hint }) => [message, hint]),
      [
        ['the notebook has no parameter "max_dept"', 'Did you mean "max_depth"?'],
        ['parameter "max_depth" is "6"; expected int', undefined],
        ['parameter "mode" is "slow"; expected one of "fast", "full"', undefined],
        ['parameter "columns" is ["a",1]; expected list[str]', undefined],
        ['parameter "limit" is true; expected int | None', undefined],
        ['parameter "name" (str) has no default and is not given', "Add it to `params` of the step."],
      ],
    );
  });

  it("that still hold a placeholder are checked by name only", async () => {
    assert.deepEqual(checkParameters(await declared(), { name: "x", max_depth: "${{ params.max_depth }}" }), []);
  });

  it("with a computed default, a second cell or a later assignment are mistakes of the notebook", async () => {
    const { problems } = await declared("a = 1\nb = len('x')\nc: Frame = 1\n", "a += 2");
    assert.deepEqual(
      problems.map(({ message }) => message),
      [
        'the default of parameter "b" is computed; expected a literal',
        'parameter "c" has the type Frame; expected int, float, str, bool, list[T], dict[str, T], Optional[T] or Literal[…]',
        'parameter "a" is assigned again in cell 2, which hides the value that the step gives',
      ],
    );
  });

  it("become Python literals: non-ASCII raw, special floats by name, secrets from the environment", () => {
    assert.equal(
      injectedSource({
        a: true,
        b: null,
        c: 'é🎈"\n',
        d: [1, 2.5],
        e: { k: Number.NaN },
        f: 9007199254740992,
        g: "secret:DB_PASSWORD",
      }),
      '# Parameters\na = True\nb = None\nc = "é🎈\\"\\n"\nd = [1, 2.5]\ne = {"k": float("nan")}\nf = 9007199254740992\ng = __import__("os").environ["DB_PASSWORD"]\n',
    );
  });
});
