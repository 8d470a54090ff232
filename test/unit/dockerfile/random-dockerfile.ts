/**
 * Random Dockerfiles from a seed: `ordinary` ones hold only what every parser agrees on, `wild` ones anything that could
 * confuse one, and `mutated` takes bytes out, puts some in, and repeats stretches.
 */

export interface Random {
  /** 0 up to and without `below`. */
  int(below: number): number;
  pick<T>(items: readonly [T, ...T[]]): T;
}

/** mulberry32: the same numbers from the same seed on every machine. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (below: number): number => Math.floor(next() * below);
  return { int, pick: (items) => items[int(items.length)] ?? items[0] };
}

export function ordinaryDockerfile(random: Random): string {
  const lines = ['FROM alpine:3 AS base'];
  const count = 1 + random.int(12);
  for (let index = 0; index < count; index++) {
    lines.push(
      random.pick([
        'RUN echo hi && \\\n    make "a b" \\\n  && true',
        'RUN --mount=type=cache,target=/c --network=none make',
        'COPY --from=base --chown=1:2 a b /c/',
        'ADD https://example.com/x.tar /x/',
        '# a comment',
        '',
        'ENV A=1 B=2',
        'LABEL a=b \\\n      c=d',
        'ARG V',
        'CMD ["sh", "-c", "x"]',
        'ENTRYPOINT exec x',
        'EXPOSE 80 443/udp',
        'USER me',
        '  WORKDIR /w',
        'volume /v',
        'STOPSIGNAL SIGTERM',
        'HEALTHCHECK --interval=5s CMD true',
        'SHELL ["/bin/bash", "-c"]',
        'ONBUILD RUN true',
        'MAINTAINER someone',
        'FROM base',
        'RUN <<EOF\necho a\n# b\nEOF',
      ]),
    );
  }
  return `${lines.join(random.pick(['\n', '\n', '\r\n']))}\n`;
}

const SHREDS = [
  'FROM x',
  'FROM x AS y',
  'FROM',
  'RUN ',
  'COPY ',
  'ADD ',
  'ONBUILD ',
  'ENV ',
  'ARG ',
  'LABEL ',
  'CMD ',
  'SHELL ',
  'HEALTHCHECK ',
  'EXPOSE ',
  'VOLUME ',
  'USER ',
  'wOrKdIr ',
  'STOPSIGNAL',
  'MAINTAINER ',
  'NONE',
  'CMD',
  '# escape=`',
  '# escape=\\',
  '# syntax=x',
  '# check=skip=all',
  '#!/bin/sh',
  '#',
  '\\',
  '`',
  '\\\\',
  '"',
  "'",
  '[',
  ']',
  '["a"]',
  '["a",1]',
  '[]',
  ',',
  '--',
  '--from=a',
  '--link',
  '--mount=type=x',
  '--chown="a b"',
  '--x',
  '=',
  'A=b',
  'A',
  '$A',
  '${A',
  '${A:-',
  '${A#*',
  '${A//',
  '}',
  '$',
  '$$',
  '/',
  '*',
  '?',
  '<<EOF',
  '<<-EOF',
  "<<'E F'",
  '<< 3',
  '<<',
  '<',
  'EOF',
  '\tEOF',
  'E F',
  '$((1 << 3))',
  '((',
  '))',
  ' ',
  '\t',
  '\f',
  '\v',
  '\r',
  '\0',
  '\u00a0',
  '\u0085',
  '\u2028',
  '\ufeff',
  '\ud800',
  'é',
  '🖖',
  '\x1b[31m',
  'x'.repeat(50),
] as const; // prettier-ignore

export function wildDockerfile(random: Random): string {
  let text = random.pick(['FROM x\n', 'FROM x\n', '# escape=`\nFROM x\n', '\ufeffFROM x\n', 'ARG A\n', '']);
  for (let lines = random.int(5); lines >= 0; lines--) {
    text += random.pick(['RUN a ', 'CMD ', 'WORKDIR a', 'COPY a b ', 'ENV A=', 'USER a', '']);
    for (let shreds = random.int(10); shreds > 0; shreds--) {
      text += random.pick(SHREDS);
      text += random.pick(['', ' ', ' ', ' ', ' \\\n']);
    }
    text += random.pick(['\n', '\n', '\n', '\r\n', '\n\n', '\nEOF\n', '']);
  }
  return text;
}

export function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  let result = [...bytes];
  for (let count = random.int(8); count >= 0; count--) {
    const at = random.int(result.length + 1);
    const kind = random.int(4);
    if (kind === 0) result.splice(at, 1 + random.int(3));
    else if (kind === 1) result.splice(at, 0, random.int(256));
    else if (kind === 2) result = [...result.slice(0, at), ...result.slice(random.int(at + 1))];
    else result[Math.min(at, result.length)] = random.int(256);
  }
  return Uint8Array.from(result);
}
