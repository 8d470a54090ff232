import { expect, test } from 'vitest';
import { idMap, parseSubIds } from '../../../../src/backend/namespaces/sub-ids.ts';

test('ranges are found by name and by number, in their order', () => {
  const text = 'root:1:5\nann:100000:65536\n# ann:1:1\n1000:300000:10\nanna:7:7\nann:bad:1\n';
  expect(parseSubIds(text, ['ann', '1000'])).toEqual([
    { start: 100_000, count: 65_536 },
    { start: 300_000, count: 10 },
  ]);
});

test('root inside is the user, and the ranges follow each other without a gap', () => {
  expect(
    idMap(1000, [
      { start: 100_000, count: 500 },
      { start: 7000, count: 20 },
    ]),
  ).toEqual(['0', '1000', '1', '1', '100000', '500', '501', '7000', '20']);
});
