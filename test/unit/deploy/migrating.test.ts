/** docs/MIGRATING-FROM-KANIKO.md answers for every flag and variable of Kaniko, and answers what the program does. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FLAGS, type Flag } from '../../../src/cli/flags.ts';
import { UNSUPPORTED_KANIKO_FLAGS, UNSUPPORTED_KANIKO_VARIABLES } from '../../../src/cli/kaniko-flags.ts';

const DOCUMENT = readFileSync(new URL('../../../docs/MIGRATING-FROM-KANIKO.md', import.meta.url), 'utf8');
const ANSWERS = ['same', 'different', 'not supported yet'];

/** cmd/executor/cmd/root.go of kaniko 1.24 and of osscontainertools/kaniko, deprecated and hidden ones too. */
const KANIKO_FLAGS = [
  ...['annotation', 'azure-container-registry-config', 'bucket', 'build-arg', 'cache', 'cache-copy-layers', 'cache-dir', 'cache-repo'],
  ...['cache-run-layers', 'cache-ttl', 'cleanup', 'compressed-caching', 'compression', 'compression-level', 'context'],
  ...['context-sub-path', 'credential-helpers', 'custom-platform', 'customPlatform', 'destination', 'digest-file', 'dockerfile', 'dryrun'],
  ...['force', 'force-build-metadata', 'git', 'ignore-path', 'ignore-var-run', 'image-download-retry', 'image-format'],
  ...['image-fs-extract-retry', 'image-name-tag-with-digest-file', 'image-name-with-digest-file', 'insecure', 'insecure-pull'],
  ...['insecure-registry', 'kaniko-dir', 'label', 'log-format', 'log-timestamp', 'materialize', 'no-push', 'no-push-cache'],
  ...['oci-layout-path', 'pre-cleanup', 'preserve-context', 'push-ignore-immutable-tag-errors', 'push-retry'],
  ...['push-retry-backoff-multiplier', 'push-retry-initial-delay', 'push-retry-max-delay', 'registry-certificate', 'registry-client-cert'],
  ...['registry-map', 'registry-mirror', 'reproducible', 'secret', 'single-snapshot', 'skip-default-registry-fallback'],
  ...['skip-push-permission-check', 'skip-tls-verify', 'skip-tls-verify-pull', 'skip-tls-verify-registry', 'skip-unused-stages'],
  ...['snapshot-mode', 'snapshotMode', 'tar-path', 'tarPath', 'target', 'use-new-run', 'verbosity', 'whitelist-var-run'],
];

interface Row {
  /** What stands in backticks in the first cell. */
  readonly names: readonly string[];
  readonly answer: string;
  readonly note: string;
}

/** The rows of the table below a heading. */
function tableOf(heading: string): readonly Row[] {
  const section = DOCUMENT.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((line) => {
    const [, first = '', answer = '', note = ''] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    return { names: [...first.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''), answer, note };
  });
}

const OWN = new Set((FLAGS as readonly Flag[]).flatMap(({ name, aliases = [] }) => [name, ...aliases]));
const UNSUPPORTED = new Set(UNSUPPORTED_KANIKO_FLAGS.map(({ name }) => name));

describe('the table of flags', () => {
  const rows = tableOf('Flags');
  const named = rows.map(({ names }) => names[0]?.replace(/^--/, '') ?? '');

  test('has one row for each flag of Kaniko, in this order', () => {
    expect(named).toEqual(KANIKO_FLAGS);
  });

  test('says of each what the program does with it', () => {
    const faults = rows.flatMap(({ answer }, i) => {
      const name = named[i] ?? '';
      if (UNSUPPORTED.has(name) && answer !== 'not supported yet')
        return [`--${name} is in kaniko-flags.ts: its row must say "not supported yet", not "${answer}"`];
      if (OWN.has(name) && answer !== 'same' && answer !== 'different')
        return [`--${name} is in flags.ts: its row must say "same" or "different" and why, not "${answer}"`];
      return OWN.has(name) || UNSUPPORTED.has(name) ? [] : [`--${name} would be told as an unknown flag: add it to kaniko-flags.ts`];
    });
    expect(faults).toEqual([]);
  });

  test('says what to know where a flag is not the same', () => {
    expect(rows.filter(({ answer, note }) => answer !== 'same' && note === '').map(({ names }) => names[0])).toEqual([]);
  });

  test('is followed by the flags that Kaniko does not have', () => {
    const told = /^tsbuild has these besides: (.*?)\. /ms.exec(DOCUMENT)?.[1] ?? '';
    const besides = (FLAGS as readonly Flag[]).map(({ name }) => name).filter((name) => !KANIKO_FLAGS.includes(name));
    expect([...told.matchAll(/`--([^`]+)`/g)].map((match) => match[1])).toEqual(besides.sort());
  });
});

test('every flag that is known as one of Kaniko is one of Kaniko', () => {
  expect([...UNSUPPORTED].filter((name) => !KANIKO_FLAGS.includes(name))).toEqual([]);
});

test('the variables that end a build are told to be not supported yet', () => {
  const rows = tableOf('Environment variables');
  for (const name of UNSUPPORTED_KANIKO_VARIABLES)
    expect(
      rows.find(({ names }) => names.includes(name)),
      name,
    ).toMatchObject({ answer: 'not supported yet', note: expect.stringMatching(/^Is an error/) });
});

test.each(['Flags', 'Environment variables', 'Mounted files'])('every row of "%s" has one of three answers', (heading) => {
  const rows = tableOf(heading);
  expect(rows.length).toBeGreaterThan(4);
  expect(rows.filter(({ answer }) => !ANSWERS.includes(answer))).toEqual([]);
});
