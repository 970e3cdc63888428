export interface DiffLine {
  readonly kind: "same" | "added" | "removed";
  readonly text: string;
}

/** Lines of two texts side by side in one list: longest common subsequence, removals before additions. */
export function lineDiff(before: string, after: string): readonly DiffLine[] {
  const left = before.split("\n");
  const right = after.split("\n");
  const lengths = commonLengths(left, right);
  const at = (row: number, column: number): number => lengths[row]?.[column] ?? 0;
  const lines: DiffLine[] = [];
  let [row, column] = [0, 0];
  while (row < left.length || column < right.length) {
    const [leftLine, rightLine] = [left[row], right[column]];
    if (leftLine !== undefined && leftLine === rightLine) {
      lines.push({ kind: "same", text: leftLine });
      row++;
      column++;
    } else if (leftLine !== undefined && (rightLine === undefined || at(row + 1, column) >= at(row, column + 1))) {
      lines.push({ kind: "removed", text: leftLine });
      row++;
    } else {
      lines.push({ kind: "added", text: rightLine ?? "" });
      column++;
    }
  }
  return lines;
}

/** `[i][j]`: length of the longest common subsequence of the texts from line i and j on. */
function commonLengths(left: readonly string[], right: readonly string[]): readonly (readonly number[])[] {
  const lengths = Array.from({ length: left.length + 1 }, () => Array.from({ length: right.length + 1 }, () => 0));
  for (let row = left.length - 1; row >= 0; row--) {
    for (let column = right.length - 1; column >= 0; column--) {
      const line = lengths[row];
      if (line === undefined) continue;
      line[column] =
        left[row] === right[column]
          ? (lengths[row + 1]?.[column + 1] ?? 0) + 1
          : Math.max(lengths[row + 1]?.[column] ?? 0, line[column + 1] ?? 0);
    }
  }
  return lengths;
}
