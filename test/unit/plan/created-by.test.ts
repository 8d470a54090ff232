import { describe, expect, it } from 'vitest';
import { commandCreatedBy, runCreatedBy } from '../../../src/plan/created-by.ts';

describe('history texts', () => {
  it.each([
    ['a "b" \\', '"a \\"b\\" \\\\"'],
    ['\x07\b\f\n\r\t\v', '"\\a\\b\\f\\n\\r\\t\\v"'],
    ['\x00\x1f\x7f', '"\\x00\\x1f\\x7f"'],
    ['é 日本 🐳', '"é 日本 🐳"'],
    ['\u00a0\u200b\ufeff\u0085', '"\\u00a0\\u200b\\ufeff\\u0085"'],
    ['\u{e0001}', '"\\U000e0001"'],
  ])('quote %j as Go does', (argument, quoted) => {
    expect(commandCreatedBy('CMD', [argument])).toBe(`CMD [${quoted}]`);
  });

  it('put the ARGs before the command, and nothing where there are none', () => {
    expect(runCreatedBy(['A=1', 'B='], ['/bin/sh', '-c', 'true'])).toBe('RUN |2 A=1 B= /bin/sh -c true # buildkit');
    expect(runCreatedBy([], ['/bin/sh', '-c', 'true'])).toBe('RUN /bin/sh -c true # buildkit');
  });
});
