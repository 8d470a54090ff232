/**
 * "Did you mean": the candidate that is nearest to a mistyped word. Case does not count, a swap of neighbours counts as
 * one change. Knows nothing of Dockerfiles.
 */

/** Words longer than this are no typing mistakes, and the comparison's cost grows with the square of the length. */
const LONGEST_WORD = 64;
const MOST_CHANGES = 3;
/** More names than this are not all compared: a folder may hold very many. */
const MOST_NAMES = 10_000;

/**
 * The candidate with the fewest changes from `word`, the first of equals; undefined when none is near: at most half of
 * the longer word's characters may differ, but no more than one in a short word, two, or three in a long one.
 */
export function nearest<T extends string>(word: string, candidates: Iterable<T>): T | undefined {
  if (word.length > LONGEST_WORD) return undefined;
  const wanted = word.toLowerCase();
  let best: T | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > MOST_CHANGES) continue;
    const changes = distance(wanted, candidate.toLowerCase());
    const longer = Math.max(wanted.length, candidate.length);
    const allowed = Math.min(longer < 5 ? 1 : longer < 8 ? 2 : MOST_CHANGES, Math.floor(longer / 2));
    if (changes > allowed || changes >= fewest) continue;
    best = candidate;
    fewest = changes;
  }
  return best;
}

/**
 * As `nearest`, for a word that may be right as it is, so that short ones that are only alike (`node`, `code`) are not
 * taken for each other: neighbours swapped, or the same first letter and one change in every five letters.
 */
export function nearestTypo<T extends string>(word: string, candidates: Iterable<T>): T | undefined {
  if (word.length > LONGEST_WORD) return undefined;
  const wanted = word.toLowerCase();
  return nearest(
    word,
    [...candidates].filter((candidate) => {
      if (Math.abs(candidate.length - word.length) > MOST_CHANGES) return false;
      const other = candidate.toLowerCase();
      const changes = distance(wanted, other);
      if (changes === 1 && sortedLetters(wanted) === sortedLetters(other)) return true;
      return wanted.charAt(0) === other.charAt(0) && changes <= Math.floor(Math.min(wanted.length, other.length) / 5);
    }),
  );
}

function sortedLetters(word: string): string {
  return [...word].sort().join('');
}

/** Up to three of `names` that differ from `name` by few edits or only by case, nearest first; never `name` itself. */
export function nearestNames(name: string, names: Iterable<string>): string[] {
  if (name.length > LONGEST_WORD) return [];
  const limit = Math.max(1, Math.floor(name.length / 3));
  let left = MOST_NAMES;
  const scored: { readonly name: string; readonly changes: number }[] = [];
  for (const candidate of names) {
    if (left-- === 0) break;
    if (candidate === name || Math.abs(candidate.length - name.length) > limit) continue;
    const changes = distance(name.toLowerCase(), candidate.toLowerCase());
    if (changes <= limit) scored.push({ name: candidate, changes });
  }
  return scored
    .sort((a, b) => a.changes - b.changes || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map((one) => one.name);
}

/** Optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a.charAt(i - 1) === b.charAt(j - 1);
      let cost = Math.min(cell(last, j) + 1, cell(row, j - 1) + 1, cell(last, j - 1) + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a.charAt(i - 1) === b.charAt(j - 2) && a.charAt(i - 2) === b.charAt(j - 1);
      if (swapped) cost = Math.min(cost, cell(beforeLast, j - 2) + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return cell(last, b.length);
}

function cell(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
