import { expect, test } from 'vitest';
import { deviceMarks } from '../../../src/layer/device-marks.ts';

const marks = deviceMarks(Buffer.alloc(32, 1));

test.each([
  { type: 'char', major: 1, minor: 3 },
  { type: 'block', major: 4095, minor: 1048575 },
] as const)('a mark is read as the device that it was written for: $type $major:$minor', (node) => {
  expect(marks.read(marks.write(node))).toEqual(node);
});

test.each([
  ['nothing', undefined],
  ['an empty value', ''],
  ['a device without a signature', 'block:8:0'],
  ['a device with another signature', `block:8:0:${'0'.repeat(64)}`],
  ['more than a mark', `${Buffer.from(marks.write({ type: 'char', major: 1, minor: 3 })).toString()}0`],
  [
    'the mark of another device',
    Buffer.from(marks.write({ type: 'char', major: 1, minor: 3 }))
      .toString()
      .replace('char:1:3', 'block:8:0'),
  ],
  ['the mark of another machine', Buffer.from(deviceMarks(Buffer.alloc(32, 2)).write({ type: 'block', major: 8, minor: 0 })).toString()],
])('%s is no device', (_, value) => {
  expect(marks.read(value === undefined ? undefined : Buffer.from(value))).toBeUndefined();
});
