/**
 * The valid name closest to a misspelt one, or undefined when none is close.
 *
 * Close means: at most a third of the letters differ (Damerau–Levenshtein, case ignored).
 */
export function nearestName(found: string, valid: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const name of valid) {
    const distance = editDistance(found.toLowerCase(), name.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  const limit = Math.max(1, Math.floor(Math.max(found.length, best?.length ?? 0) / 3));
  return bestDistance <= limit ? best : undefined;
}

function editDistance(left: string, right: string): number {
  const rows = Array.from({ length: left.length + 1 }, () => Array.from({ length: right.length + 1 }, () => 0));
  const at = (row: number, column: number): number => rows[row]?.[column] ?? 0;
  for (let i = 0; i <= left.length; i++) {
    for (let j = 0; j <= right.length; j++) {
      const row = rows[i];
      if (row === undefined) continue;
      if (i === 0 || j === 0) {
        row[j] = i + j;
        continue;
      }
      const cost = left[i - 1] === right[j - 1] ? 0 : 1;
      row[j] = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + cost);
      const swapped = i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1];
      if (swapped) row[j] = Math.min(row[j] ?? 0, at(i - 2, j - 2) + 1);
    }
  }
  return at(left.length, right.length);
}
