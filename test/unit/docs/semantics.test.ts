/** docs/SEMANTICS.md says what tsbuild does and which test proves it: every row names one, and every test named exists. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const DOCUMENT = readFileSync(`${ROOT}docs/SEMANTICS.md`, 'utf8');

interface Row {
  readonly line: number;
  readonly rule: string;
  readonly proof: string;
}

/** Rows of the tables `| rule | proof |`. A `|` inside a cell is written `\|`. */
function rowsOf(markdown: string): readonly Row[] {
  return markdown.split('\n').flatMap((text, index) => {
    if (!text.startsWith('| ')) return [];
    const cells = text.split(/(?<!\\)\|/).map((cell) => cell.trim());
    const [, rule = '', proof = ''] = cells;
    if (rule === 'rule' || /^-+$/.test(rule)) return [];
    return [{ line: index + 1, rule, proof }];
  });
}

/** Why a reference is wrong, or null. `path` or `path: literal text of a title in it`. */
function faultOf(reference: string): string | null {
  const [, path = '', title] = /^(\S+?)(?:: (.+))?$/s.exec(reference) ?? [];
  if (!/^(test|fixtures)\//.test(path)) return `${reference} is no path below test/ or fixtures/`;
  if (!existsSync(ROOT + path)) return `${path} does not exist`;
  if (path.startsWith('test/') && title === undefined) return `${path}: which test?`;
  if (title === undefined) return null;
  const source = readFileSync(ROOT + path, 'utf8');
  const plain = title.replaceAll('\\|', '|');
  const quoted = [plain, plain.replaceAll("'", "\\'"), plain.replaceAll('\\', '\\\\')];
  return quoted.some((text) => source.includes(text)) ? null : `${path} has no test "${plain}"`;
}

/** Backticked references, also those in double backticks. */
function referencesOf(proof: string): readonly string[] {
  return [...proof.matchAll(/``(.+?)``|`([^`]+)`/g)].map((match) => (match[1] ?? match[2] ?? '').trim());
}

describe('docs/SEMANTICS.md', () => {
  const rows = rowsOf(DOCUMENT);

  it('has a row for every rule', () => {
    expect(rows.length).toBeGreaterThan(200);
  });

  it('names a test for each rule, and each test that it names exists', () => {
    const faults = rows.flatMap(({ line, rule, proof }) => {
      const references = referencesOf(proof);
      if (references.length === 0) return [`line ${line}: no test for "${rule}"`];
      return references.map(faultOf).flatMap((fault) => (fault === null ? [] : [`line ${line}: ${fault}`]));
    });
    expect(faults).toEqual([]);
  });
});
