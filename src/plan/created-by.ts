/**
 * history.created_by, byte for byte as BuildKit writes it, which is Go's fmt in places: `%q` and `%v` of lists, `%+v`
 * of the health check. Reference: BuildKit dockerfile2llb/convert.go, commitToHistory.
 */
import type { Healthcheck } from '../image/image.ts';
import { formatDuration } from './durations.ts';

/** `RUN |2 A=1 B= /bin/sh -c true # buildkit`; `args` are `NAME=value`. */
export function runCreatedBy(args: readonly string[], argv: readonly string[]): string {
  const prefix = args.length === 0 ? [] : [`|${args.length}`, ...args];
  return `RUN ${[...prefix, ...argv].join(' ')} # buildkit`;
}

/** `COPY --chown=1:2 f.txt <<EOF /x/ # buildkit`; `words` as in the Dockerfile, expanded. */
export function copyCreatedBy(instruction: 'COPY' | 'ADD', words: readonly string[]): string {
  return `${[instruction, ...words].join(' ')} # buildkit`;
}

/** `ENV A=1 B=x y`, `LABEL ...`, `ARG A=1 B`: value null for an ARG without one. */
export function pairsCreatedBy(instruction: 'ENV' | 'LABEL' | 'ARG', pairs: readonly (readonly [string, string | null])[]): string {
  return [instruction, ...pairs.map(([name, value]) => (value === null ? name : `${name}=${value}`))].join(' ');
}

/** `CMD ["a" "b"]` */
export function commandCreatedBy(instruction: 'CMD' | 'ENTRYPOINT', argv: readonly string[]): string {
  return `${instruction} [${argv.map(goQuote).join(' ')}]`;
}

/** `EXPOSE [80/tcp 81/tcp]` */
export function listCreatedBy(instruction: 'EXPOSE' | 'VOLUME' | 'SHELL', list: readonly string[]): string {
  return `${instruction} [${list.join(' ')}]`;
}

export function healthcheckCreatedBy(check: Healthcheck): string {
  const test = `Test:[${(check.Test ?? []).join(' ')}]`;
  const times = (['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const).map(
    (name) => `${name}:${formatDuration(check[name] ?? 0)}`,
  );
  return `HEALTHCHECK {${[test, ...times, `Retries:${check.Retries ?? 0}`].join(' ')}}`;
}

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\x07', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
  ['"', '\\"'],
  ['\\', '\\\\'],
]);

/** Go's strconv.Quote: printable characters stay as they are. */
function goQuote(text: string): string {
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    const short = SHORT_ESCAPES.get(char);
    if (short !== undefined) out += short;
    else if (/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(char)) out += char;
    else if (code < 0x80) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else if (code < 0x10000) out += `\\u${code.toString(16).padStart(4, '0')}`;
    else out += `\\U${code.toString(16).padStart(8, '0')}`;
  }
  return `${out}"`;
}
