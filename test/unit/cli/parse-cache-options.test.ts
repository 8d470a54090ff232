import { describe, expect, test } from 'vitest';
import type { CacheOptions } from '../../../src/cli/options.ts';
import { cacheOptions } from '../../../src/cli/parse-cache-options.ts';
import { collectProblems } from '../../../src/cli/problems.ts';
import { readFlags } from '../../../src/cli/read-flags.ts';
import { TsbuildErrors } from '../../../src/errors.ts';

const HOUR = 3_600_000;
const D = ['registry.example/team/app:1', 'other.example/app:2'];

function parse(argv: readonly string[], destinations: readonly string[] = D): CacheOptions {
  const problems = collectProblems();
  const flags = readFlags([...argv, ...destinations.map((one) => `--destination=${one}`)], problems);
  const options = cacheOptions(flags, { cwd: '/here', destinations }, problems);
  problems.throwIfAny();
  return options;
}

/** `code message | hint` of each. */
function faults(argv: readonly string[], destinations: readonly string[] = D): readonly string[] {
  try {
    parse(argv, destinations);
  } catch (error) {
    if (error instanceof TsbuildErrors) return error.errors.map(({ code, message, hint }) => `${code} ${message} | ${hint ?? ''}`);
    throw error;
  }
  return [];
}

const besides = { kind: 'registry', repository: 'registry.example/team/app/cache' };
const digest = `sha256:${'a'.repeat(64)}`;

describe('the flags of caches', () => {
  const cases: readonly (readonly [argv: readonly string[], expected: object])[] = [
    [[], { steps: 'reused', kinds: ['run', 'copy', 'workdir'], keyed: null, imports: [], exports: [], inline: 'not written' }],
    [['--cache'], { steps: 'reused', keyed: { place: besides, ttlMs: 336 * HOUR, access: 'read and write' } }],
    [['--cache=true', '--cache-ttl', '6h30m', '--no-push-cache'], { keyed: { place: besides, ttlMs: 6.5 * HOUR, access: 'read' } }],
    [['--cache', '--cache-ttl=0'], { keyed: { ttlMs: 0 } }],
    [['--cache', '--cache-repo=r.example/c'], { keyed: { place: { kind: 'registry', repository: 'r.example/c' } } }],
    [['--cache', '--cache-repo', 'me/c'], { keyed: { place: { kind: 'registry', repository: 'docker.io/me/c' } } }],
    [['--cache', '--cache-repo=oci:steps'], { keyed: { place: { kind: 'layout', folder: '/here/steps' } } }],
    [['--cache', '--cache-repo=oci:/steps'], { keyed: { place: { kind: 'layout', folder: '/steps' } } }],
    [['--cache-repo=r.example/c'], { steps: 'reused', keyed: null }],
    [['--cache=false'], { steps: 'run anew', keyed: null }],
    [['--no-cache'], { steps: 'run anew', keyed: null }],
    [['--cache-run-layers=false'], { kinds: ['copy', 'workdir'] }],
    [['--cache-copy-layers=false'], { kinds: ['run', 'workdir'] }],
    [['--cache-copy-layers', '--compressed-caching=false'], { kinds: ['run', 'copy', 'workdir'] }],
    [['--cache-from=r.example/app'], { imports: [{ kind: 'registry', repository: 'r.example/app', name: 'latest' }] }],
    [
      ['--cache-from', 'r.example/a:1,r.example/b:2'],
      {
        imports: [
          { kind: 'registry', repository: 'r.example/a', name: '1' },
          { kind: 'registry', repository: 'r.example/b', name: '2' },
        ],
      },
    ],
    [['--cache-from', ''], { imports: [] }],
    [['--cache-from', `type=registry,ref=r.example/a@${digest}`], { imports: [{ repository: 'r.example/a', name: digest }] }],
    [['--cache-from', 'type=local,src=old'], { imports: [{ kind: 'layout', folder: '/here/old', name: 'latest' }] }],
    [['--cache-from', '"type=local","src=/a,b",tag=x'], { imports: [{ kind: 'layout', folder: '/a,b', name: 'x' }] }],
    [['--cache-from', `type=local,src=/a,digest=${digest}`], { imports: [{ kind: 'layout', folder: '/a', name: digest }] }],
    [['--cache-to', 'r.example/a:c'], { exports: [{ kind: 'registry', repository: 'r.example/a', tag: 'c', mode: 'min' }] }],
    [
      ['--cache-to', 'type=registry,ref=r.example/a:c,mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true'],
      { exports: [{ kind: 'registry', repository: 'r.example/a', tag: 'c', mode: 'max' }] },
    ],
    [['--cache-to', 'type=local,dest=new,tag=t'], { exports: [{ kind: 'layout', folder: '/here/new', tag: 't', mode: 'min' }] }],
    [['--cache-to', 'type=inline', '--cache-to=type=local,dest=/n'], { inline: 'written', exports: [{ folder: '/n', tag: 'latest' }] }],
    [['--no-cache', '--cache-to=type=inline', '--cache-from=a'], { steps: 'run anew', inline: 'written' }],
  ];
  test.each(cases)('%j', (argv, expected) => {
    expect(parse(argv)).toMatchObject(expected);
  });

  test('--cache without a destination needs a --cache-repo', () => {
    expect(faults(['--cache'], [])).toEqual([
      'USAGE --cache does not know where: there is no --destination | add --cache-repo REGISTRY/NAME',
    ]);
    expect(parse(['--cache', '--cache-repo=r.example/c'], []).keyed).not.toBeNull();
    expect(faults([], [])).toEqual([]);
  });
});

describe('what is wrong with them is told with what to do', () => {
  const TYPES = 'tsbuild has type=registry, type=local and, for --cache-to, type=inline';
  const EXAMPLE = 'for example type=registry,ref=registry.example/team/app:cache';
  test.each([
    ['--cache-from=type=gha', `NOT_SUPPORTED --cache-from type=gha: not supported yet: type=gha | ${TYPES}`],
    ['--cache-from=type=s3,bucket=b', `NOT_SUPPORTED --cache-from type=s3,bucket=b: not supported yet: type=s3 | ${TYPES}`],
    ['--cache-to=type=azblob,name=b', `NOT_SUPPORTED --cache-to type=azblob,name=b: not supported yet: type=azblob | ${TYPES}`],
    ['--cache-to=type=file', `USAGE --cache-to type=file: "file" is not a type of cache | ${TYPES}`],
    ['--cache-to=ref=a', `USAGE --cache-to ref=a: it has no type | ${EXAMPLE}`],
    ['--cache-to=type=registry,a', `USAGE --cache-to type=registry,a: "a" is not NAME=VALUE | ${EXAMPLE}`],
    ['--cache-from=type=registry', 'USAGE --cache-from type=registry: type=registry needs ref=.. | write type=registry,ref=REFERENCE'],
    ['--cache-from=type=local', 'USAGE --cache-from type=local: type=local needs src=.. | write type=local,src=FOLDER'],
    ['--cache-to=type=local,src=a', 'USAGE --cache-to type=local,src=a: type=local needs dest=.. | write type=local,dest=FOLDER'],
    [
      '--cache-from=type=inline',
      'USAGE --cache-from type=inline: an inline cache is read from the image that has it | write type=registry,ref=IMAGE',
    ],
    [
      '--cache-from=type=registry,ref=a,mode=max',
      'USAGE --cache-from type=registry,ref=a,mode=max: type=registry has no option "mode" | leave it out',
    ],
    [
      '--cache-to=type=registry,ref=a,compression=zstd',
      'NOT_SUPPORTED --cache-to type=registry,ref=a,compression=zstd: not supported yet: compression | leave it out: cached layers are those of the image',
    ],
    [
      '--cache-to=type=registry,ref=a,ignore-error=false',
      'NOT_SUPPORTED --cache-to type=registry,ref=a,ignore-error=false: not supported yet: ignore-error=false | leave it out: what goes wrong with a cache is a warning, and never fails a build',
    ],
    [
      '--cache-to=type=local,dest=a,image-manifest=false',
      'NOT_SUPPORTED --cache-to type=local,dest=a,image-manifest=false: not supported yet: image-manifest=false | leave it out: a cache is written as an OCI image',
    ],
    [
      '--cache-to=type=registry,ref=a,mode=mid',
      'USAGE --cache-to type=registry,ref=a,mode=mid: mode is min or max, not "mid" | write mode=min',
    ],
    [
      '--cache-to=type=inline,mode=max',
      'USAGE --cache-to type=inline,mode=max: an image has only its own layers: type=inline cannot have mode=max | write mode=min, or type=registry,ref=..,mode=max',
    ],
    [
      `--cache-to=a@${digest}`,
      `USAGE --cache-to a@${digest}: a@${digest} has a digest, which is known only when the cache is written | give a tag`,
    ],
    [
      '--cache-from=type=local,src="a',
      'USAGE --cache-from type=local,src="a: a quote is out of place in "type=local,src="a" | quote a field',
    ],
    ['--cache-repo=r.example/a:1', 'USAGE --cache-repo: "r.example/a:1" is not a repository: it has a tag or a digest | write r.example/a'],
    ['--cache-repo=oci:', 'USAGE --cache-repo: "oci:" names no folder | write oci:FOLDER'],
    ['--cache-ttl=soon', 'USAGE --cache-ttl: "soon" is not a duration: a number is missing | for example 6h, or 336h for two weeks'],
  ])('%s', (flag, fault) => {
    expect(faults([flag])).toEqual([expect.stringContaining(fault)]);
  });

  test('--cache and --no-cache contradict each other', () => {
    expect(faults(['--cache', '--no-cache'])).toEqual(['USAGE --cache and --no-cache want different things | leave one of the two out']);
  });
});
