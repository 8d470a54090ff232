// judge-conformance.mjs DIFFERENCES.md root|rootless RESULTS.json: fails for a case that differs without being argued in DIFFERENCES.md,
// for an argued case that no longer differs, and for more than ten entries.
import { readFileSync } from 'node:fs';

const [, , differences = '', who = '', results = ''] = process.argv;
const MOST_ENTRIES = 10;

/** An entry is a heading `## N. ...` with a line `Cases: ...` or `Cases as an ordinary user: ...`. */
const entries = readFileSync(differences, 'utf8').split(/^## /m).slice(1);
const argued = new Set();
for (const entry of entries) {
  for (const [, scope = '', list = ''] of entry.matchAll(/^Cases( as an ordinary user)?: (.*)$/gm)) {
    if (scope !== '' && who !== 'rootless') continue;
    for (const [, name] of list.matchAll(/`([^`]+)`/g)) argued.add(name);
  }
}

const rows = JSON.parse(readFileSync(results, 'utf8'));
const failed = rows.filter((row) => row.status !== 'PASS' && row.status !== 'SKIP');
const unexplained = failed.filter((row) => !argued.has(row.case));
const stale = [...argued].filter((name) => rows.some((row) => row.case === name && row.status === 'PASS'));

for (const row of unexplained)
  console.error(`${row.case} differs and is not argued in ${differences}:\n  ${row.diffs.join('\n  ')}\n${row.log ?? ''}`);
for (const name of stale) console.error(`${name} is argued in ${differences}, but does not differ`);
if (entries.length > MOST_ENTRIES) console.error(`${differences} has ${entries.length} entries; ${MOST_ENTRIES} are allowed`);
console.log(`${rows.length - failed.length} of ${rows.length} as BuildKit answered, ${failed.length - unexplained.length} argued`);
process.exitCode = unexplained.length > 0 || stale.length > 0 || entries.length > MOST_ENTRIES ? 1 : 0;
