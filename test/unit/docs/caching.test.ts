/** docs/CACHING.md names flags that there are, all that are about caches, and pairs of the table of pairs with what comes of them. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FLAGS } from '../../../src/cli/flags.ts';
import { CACHE_PAIRS } from '../../helpers/cache-pairs.ts';

const DOCUMENT = readFileSync(new URL('../../../docs/CACHING.md', import.meta.url), 'utf8');
/** Options of instructions. */
const OTHERS = ['chown', 'chmod', 'exclude', 'checksum', 'from', 'link', 'mount'];
/** Of `tsbuild cache prune`. */
const PRUNE = ['all', 'older-than', 'max-size', 'mounts'];

const named = new Set([...DOCUMENT.matchAll(/--([a-z][a-z-]*)/g)].map(([, name]) => name ?? ''));

test('each flag that it names is one of the program', () => {
  const known: readonly string[] = [...FLAGS.map(({ name }) => name), ...OTHERS, ...PRUNE];
  expect([...named].filter((name) => !known.includes(name))).toEqual([]);
});

test('each flag about caches is in it', () => {
  const about = FLAGS.filter(({ group }) => group === 'Caches').map(({ name }) => name);
  expect(about.length).toBeGreaterThan(5);
  expect(about.filter((name) => !named.has(name))).toEqual([]);
});

test('what it says of changes is what a pair demands', () => {
  const rows = DOCUMENT.split('\n').flatMap((line) => {
    const [, , outcome, title] = /^\| (.+) \| (run|from the cache) \| `(.+)` \|$/.exec(line) ?? [];
    return title === undefined ? [] : [{ outcome, title }];
  });
  expect(rows.length).toBeGreaterThan(10);
  const pairs = Object.values(CACHE_PAIRS).flat();
  for (const { outcome, title } of rows) {
    const pair = pairs.find(({ change }) => change === title);
    expect(pair?.expected.split(' '), title).toContain(outcome === 'run' ? 'miss' : 'hit');
  }
});
