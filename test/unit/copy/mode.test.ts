import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { modeChange } from '../../../src/copy/mode.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsbuild-mode-'));
afterAll(() => rmSync(folder, { recursive: true }));

const TEXTS = [
  'u=rwX,go=rX',
  '+x',
  'a-w',
  'go-w',
  'u=rw,g=r,o=r',
  'a+X',
  'u+rw,g+r,o-x,o+w',
  'u+s',
  'g+s',
  'o+s',
  'ug+s',
  '+t',
  'a+t',
  '-s',
  'a=',
  'u=',
  'g=u',
  'o=g',
  'u=g,g=o',
  'go=u-w',
  'u+x-w',
  'a=rwx',
  '=r',
  'u=s',
  'g=rxs',
  'a=X',
  'ugo+rwx',
  'g-x+w,o=',
  'o+u',
  'a-rwxst',
  'u=rwxX',
  '+X',
];
const MODES = [0o644, 0o755, 0o600, 0o4755, 0o2711, 0o1777, 0o000, 0o124, 0o7777, 0o641];

/** GNU's chmod and BuildKit's differ in what `=` does to setuid, setgid and sticky: those are left out here, see the tests below. */
test.each(TEXTS)('%s means what chmod(1) makes of it', (text) => {
  const rule = modeChange({ kind: 'symbolic', text });
  for (const type of ['other', 'dir'] as const) {
    const modes = MODES.filter((mode) => (mode & 0o7000) === 0 || (type === 'other' && !text.includes('=')));
    const paths = modes.map((mode) => {
      const path = join(folder, `${type}-${mode.toString(8)}`);
      if (type === 'dir') mkdirSync(path, { recursive: true });
      else writeFileSync(path, '', { flag: 'a' });
      chmodSync(path, mode);
      return path;
    });
    execFileSync('sh', ['-c', 'umask 0; exec chmod -- "$@"', 'sh', text, ...paths]);
    const show = (results: readonly number[]) => results.map((result, i) => `${modes[i]?.toString(8)} -> ${result.toString(8)}`);
    expect(show(modes.map((mode) => rule.apply(mode, type)))).toEqual(show(paths.map((path) => statSync(path).mode & 0o7777)));
    for (const path of paths) chmodSync(path, 0o700);
  }
});

test('= takes setuid and setgid away, from folders as well', () => {
  expect(modeChange({ kind: 'symbolic', text: 'u=rwx,go=rx' }).apply(0o6755, 'dir')).toBe(0o755);
});

test.each([
  ['o+t', 0o755, 0o755],
  ['u+t', 0o755, 0o1755],
  ['go+t', 0o755, 0o1755],
  ['o-t', 0o1755, 0o1755],
  ['a=rwx', 0o1755, 0o1777],
  ['uo=t', 0o644, 0o1040],
  ['u=t,g+w', 0o7755, 0o3075],
  ['u=g', 0o4751, 0o4551],
  ['g=u', 0o2751, 0o2771],
  ['a-x+X', 0o755, 0o755],
  ['a-x+X', 0o644, 0o644],
])('%s makes %o to %o, as BSD does', (text, before, after) => {
  const rule = modeChange({ kind: 'symbolic', text });
  expect(rule.apply(before, 'other').toString(8)).toBe(after.toString(8));
});

test('octal replaces every bit, and folders that are made lose the special ones', () => {
  const rule = modeChange({ kind: 'octal', mode: 0o6751 });
  expect([rule.apply(0o1, 'other'), rule.apply(0o777, 'dir'), rule.madeFolders]).toEqual([0o6751, 0o6751, 0o751]);
});

test('symbolic changes leave folders that are made at 0755', () =>
  expect(modeChange({ kind: 'symbolic', text: 'go-rwx' }).madeFolders).toBe(0o755));

test.each(['', 'u', 'z+x', 'u+q', '64a', 'u=rw,', 'u+rg', '++x y'])('%j is refused', (text) => {
  expect(() => modeChange({ kind: 'symbolic', text })).toThrowError(expect.objectContaining({ code: 'COPY_FAILED' }));
});
