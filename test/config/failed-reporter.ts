/**
 * Ends a run that failed with what failed, in a few thousand characters whatever the tests had to say: of a long log, only the end
 * may be kept. Whole messages and differences stand above, where Vitest's own reporter puts them.
 */
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { SerializedError } from 'vitest';
import type { TestModule } from 'vitest/node';
import type { Reporter } from 'vitest/reporters';

const MOST_CHARACTERS = 3000;
const MOST_FAILURES = 12;

interface Failure {
  /** File and full name. */
  readonly where: string;
  readonly errors: readonly SerializedError[];
}

function failuresOf(modules: readonly TestModule[], unhandled: readonly SerializedError[]): readonly Failure[] {
  const found: Failure[] = [];
  for (const module of modules) {
    const file = module.relativeModuleId;
    if (module.errors().length > 0) found.push({ where: file, errors: module.errors() });
    for (const suite of module.children.allSuites()) {
      if (suite.errors().length > 0) found.push({ where: `${file}: ${suite.fullName}, before or after its tests`, errors: suite.errors() });
    }
    for (const test of module.children.allTests('failed')) {
      const ms = Math.round(test.diagnostic()?.duration ?? 0);
      found.push({ where: `${file}: ${test.fullName} (${ms} ms)`, errors: test.result().errors ?? [] });
    }
  }
  for (const error of unhandled) found.push({ where: 'outside of any test', errors: [error] });
  return found;
}

/** At most `most` characters and sixteen lines: a message begins with what was done and ends with what came of it. */
function shorten(text: string, most: number): string {
  const lines = text.split('\n');
  const fewer = lines.length <= 16 ? text : [...lines.slice(0, 4), '[...]', ...lines.slice(-11)].join('\n');
  if (fewer.length <= most) return fewer;
  const head = Math.floor(most / 3);
  return `${fewer.slice(0, head)} [...] ${fewer.slice(fewer.length - (most - head))}`;
}

function errorText({ message, expected, actual, stacks }: SerializedError, most: number): string {
  const plain = (value: unknown): string => stripVTControlCharacters(String(value)).trim();
  // A test that ran tsbuild has its whole output as the message.
  const [, said = message] = /^(error: [\s\S]*)/m.exec(stripVTControlCharacters(message)) ?? [];
  const lines = [shorten(plain(said), Math.floor(most / 2))];
  if (expected !== undefined && actual !== undefined && `${expected}${actual}`.length > 8)
    lines.push(`expected ${shorten(plain(expected), Math.floor(most / 4))}`, `received ${shorten(plain(actual), Math.floor(most / 4))}`);
  const [frame] = stacks ?? [];
  if (frame !== undefined) lines.push(`at ${relative(process.cwd(), frame.file)}:${frame.line}`);
  return lines.join('\n').replaceAll('\n', '\n  ');
}

function failedText(failures: readonly Failure[]): string {
  if (failures.length === 0) return '';
  const shown = failures.slice(0, MOST_FAILURES);
  const most = Math.floor(MOST_CHARACTERS / shown.length);
  const lines = shown.map(({ where, errors }) => {
    const texts = errors.slice(0, 2).map((error) => errorText(error, Math.floor(most / Math.min(errors.length, 2))));
    return [`- ${where}`, ...texts].join('\n  ');
  });
  const more = failures.length - shown.length;
  return `\nFailed (${failures.length}):\n${lines.join('\n')}\n${more === 0 ? '' : `and ${more} more\n`}`;
}

/** To stand last among the reporters. */
export function failedReporter(): Reporter {
  return { onTestRunEnd: (modules, unhandled) => void process.stdout.write(failedText(failuresOf(modules, unhandled))) };
}
