/** Flags: where they end, their quotes and escapes, which ones each instruction takes. */
import { describe, expect, test } from 'vitest';
import { TsbuildErrors } from '../../../src/errors.ts';
import { faults, instruction, parse, warnings } from './dockerfiles.ts';

function flags(text: string): string[] {
  return instruction(text).flags.map(({ name, value }) => `${name}=${value}`);
}

describe('flags', () => {
  test.each([
    ['are the leading words that begin with --', 'COPY --from=a --link b --chown=c /d', ['from=a', 'link=null'], 'b --chown=c /d'],
    ['end at a bare --', 'COPY --link -- --odd /x', ['link=null'], '--odd /x'],
    ['may hold blanks in quotes', 'COPY --chown="a b":c x /', ['chown=a b:c'], 'x /'],
    ["may hold blanks in '", "COPY --chown='a b' x /", ['chown=a b'], 'x /'],
    ['may hold escaped blanks and quotes', 'COPY --chown=a\\ b\\"c x /', ['chown=a b"c'], 'x /'],
    ['lose backslashes within quotes too', 'COPY --chown="a\\"b\\c" x /', ['chown=a"bc'], 'x /'],
    ['keep what comes after the first =', 'RUN --mount=type=bind,target=/x true', ['mount=type=bind,target=/x'], 'true'],
    [
      'lose the quotes around a CSV field, which the mount parser does not see',
      'RUN --mount=type=bind,"source=a,b" true',
      ['mount=type=bind,source=a,b'],
      'true',
    ],
    ['may be repeated when they are lists', 'COPY --exclude=a --exclude=b . /', ['exclude=a', 'exclude=b'], '. /'],
    [
      'may come from several lines',
      'RUN --network=none \\\n  --mount=type=tmpfs,target=/t \\\n  make',
      ['network=none', 'mount=type=tmpfs,target=/t'],
      'make',
    ],
    ['may have an empty value', 'COPY --chown= a /b', ['chown='], 'a /b'],
    ['keep characters outside ASCII', 'COPY --chown=é→ a /b', ['chown=é→'], 'a /b'],
  ])('%s', (_, text, expected, args) => {
    expect(flags(text)).toEqual(expected);
    expect(instruction(text).args).toBe(args);
  });

  test('that a continuation line indents are words of their own', () => {
    expect(instruction('RUN --mount=type=cache,\\\n   target=/x true').args).toBe('target=/x true');
  });

  test('go on in column 0 of the line after a continuation', () => {
    const { flags: found, args } = instruction('RUN --mount=type=cache,\\\ntarget=/x,\\\nid=a true');
    expect(found).toEqual([{ name: 'mount', value: 'type=cache,target=/x,id=a' }]);
    expect(args).toBe('true');
  });

  test('that are switches are bare, true or false, and nothing else', () => {
    expect(flags('COPY --link --parents=TRUE a /b')).toEqual(['link=null', 'parents=TRUE']);
    expect(flags('ADD --link=false --unpack=False a /b')).toEqual(['link=false', 'unpack=False']);
    for (const value of ['yes', '1', '', 'no', 'truex']) {
      expect(faults(`FROM x\nCOPY --link=${value} a /b`)).toEqual([`2: --link is either true or false, not ${value}`]);
    }
  });

  test('that are no lists are given once', () => {
    expect(faults('FROM x\nCOPY --chown=1 --chown=1 a /b\nRUN --network=none --network=none true')).toEqual([
      '2: --chown is given twice',
      '3: --network is given twice',
    ]);
    expect(flags('RUN --mount=type=tmpfs,target=/a --mount=type=tmpfs,target=/b true')).toHaveLength(2);
  });

  test('have names that match by case, and a mistyped one is told the nearest', () => {
    const hints = (text: string): (string | undefined)[] => {
      try {
        parse(`FROM x\n${text}`);
      } catch (error) {
        if (error instanceof TsbuildErrors) return error.errors.map(({ hint }) => hint);
        throw error;
      }
      return [];
    };
    expect(hints('COPY --Chown=1 --form=a --lnik a /b')).toEqual(['Did you mean --chown?', 'Did you mean --from?', 'Did you mean --link?']);
  });

  test('escape with the backslash also where the escape directive says backtick', () => {
    const [, copy] = parse('# escape=`\nFROM x\nCOPY --chown=a\\ b x /').instructions;
    expect(copy?.flags).toEqual([{ name: 'chown', value: 'a b' }]);
  });

  test.each([
    ['FROM --platform=linux/arm64 x'],
    ['FROM x\nRUN --mount=type=tmpfs,target=/x --network=none --security=sandbox --device=a --device=b true'],
    ['FROM x\nCOPY --from=a --chown=1 --chmod=755 --link --parents --exclude=x a /b'],
    ['FROM x\nADD --chown=1 --chmod=755 --link --exclude=x --checksum=sha256:0 --keep-git-dir=true --unpack=FALSE a /b'],
    ['FROM x\nHEALTHCHECK --interval=1s --timeout=1s --start-period=1s --start-interval=1s --retries=3 CMD true'],
  ])('are all known in %j', (text) => {
    expect(parse(text).warnings).toEqual([]);
  });

  test.each([
    ['COPY --From=a b /c', '2: COPY has no flag --From'],
    ['COPY --__proto__=a b /c', '2: COPY has no flag --__proto__'],
    ['COPY --=a b /c', '2: COPY has no flag --'],
    ['ADD --from=a b /c', '2: ADD has no flag --from'],
    ['COPY --checksum=a b /c', '2: COPY has no flag --checksum'],
    ['ENV --a=b C=d', '2: ENV has no flag --a'],
    ['COPY --link= a /b', '2: --link is either true or false, not '],
    ['COPY --link --link a /b', '2: --link is given twice'],
    ['COPY --from a /b', '2: --from needs a value'],
    ['RUN --mount true', '2: --mount needs a value'],
    ['RUN --network=none --network=none true', '2: --network is given twice'],
    ['RUN --mount="type=cache true', '2: a quote in --mount has no end'],
  ])('refuse %s', (text, expected) => {
    expect(faults(`FROM x\n${text}`)).toEqual([expected]);
  });

  test('warn when they stand behind the first source or behind CMD', () => {
    expect(warnings('FROM x\nCOPY a --chown=1 /b')).toEqual(['2: --chown=1 stands behind the first source, so it is a file name']);
    expect(warnings('FROM x\nHEALTHCHECK CMD --interval=5s true')).toEqual(['2: --interval=5s stands behind CMD, so it is the command']);
    expect(warnings('FROM x\nHEALTHCHECK --retries=3 NONE')).toEqual(['2: HEALTHCHECK NONE has no use for --retries']);
    expect(warnings('FROM x\nCOPY a --odd /b')).toEqual([]);
  });
});
