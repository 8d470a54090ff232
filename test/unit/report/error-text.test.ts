import { describe, expect, test } from 'vitest';
import { TsbuildError, TsbuildErrors } from '../../../src/errors.ts';
import { describeErrors, type ErrorTextOptions, formatError } from '../../../src/report/error-text.ts';

const options: ErrorTextOptions = {
  color: 'no-color',
  verbosity: 'info',
  readSource: (file) => (file === 'Dockerfile' ? { file, lines: ['FROM a', 'COPY none /x', 'RUN b'] } : null),
};
const system = (code: string, message: string, more: object = {}): Error => Object.assign(new Error(message), { code, ...more });

test('an error is told with its place, its causes and its hint', () => {
  const error = new TsbuildError('COPY_SOURCE_NOT_FOUND', 'there is no "none" in the context', {
    at: { file: 'Dockerfile', startLine: 2, endLine: 2, column: 5, width: 4 },
    hint: 'is it in .dockerignore?',
    cause: new Error('outer', { cause: new Error('inner') }),
  });
  expect(formatError(error, options)).toBe(
    [
      'error: there is no "none" in the context',
      '  --> Dockerfile:2:6',
      '    1 | FROM a',
      '  > 2 | COPY none /x',
      '      |      ^^^^',
      '    3 | RUN b',
      '  cause: outer',
      '  cause: inner',
      '  hint: is it in .dockerignore?',
    ].join('\n'),
  );
});

test('the place of a file that cannot be read stands without its lines', () => {
  const error = new TsbuildError('DOCKERIGNORE_SYNTAX', 'bad pattern', { at: { file: 'gone', startLine: 4, endLine: 4 } });
  expect(formatError(error, options)).toBe('error: bad pattern\n  --> gone:4');
});

test('several errors are told one by one and counted', () => {
  const at = (line: number) => ({ at: { file: 'gone', startLine: line, endLine: line } });
  const errors = new TsbuildErrors([
    new TsbuildError('DOCKERFILE_SYNTAX', 'first', at(1)),
    new TsbuildError('DOCKERFILE_SYNTAX', 'second', at(2)),
  ]);
  expect(formatError(errors, options)).toBe('error: first\n  --> gone:1\n\nerror: second\n  --> gone:2\n\n2 errors');
});

test('an error that is none of ours is called a bug; its stack is shown at debug only', () => {
  const error = new TypeError('x is undefined');
  expect(formatError(error, options)).toBe(
    'error: this is a bug in tsbuild: x is undefined\n  hint: please report it with the output of --verbosity debug',
  );
  const debug = formatError(error, { ...options, verbosity: 'debug' });
  expect(debug).toContain('hint: please report it with all of this output\nTypeError: x is undefined\n    at ');
  expect(formatError('text', options)).toContain('this is a bug in tsbuild: text');
});

test('a stack at debug goes on with its causes', () => {
  const error = new TsbuildError('STORE_FAILED', 'no', { cause: new Error('why') });
  expect(formatError(error, { ...options, verbosity: 'debug' })).toMatch(/TsbuildError: no\n[\s\S]+caused by: Error: why\n/);
});

test('a full disk is no bug', () => {
  expect(formatError(system('ENOSPC', 'ENOSPC: no space left on device, write', { path: '/a' }), options)).toBe(
    'error: the disk is full (/a)\n  hint: free disk space, or choose another folder with --cache-dir',
  );
});

test('a full disk behind another error has a hint that fits it, unless the error has its own', () => {
  const cause = new Error('cannot keep it', { cause: system('EDQUOT', 'EDQUOT: quota exceeded, write') });
  const hintOf = (error: TsbuildError): string | undefined => describeErrors(error, 'info')[0]?.hint;
  expect(hintOf(new TsbuildError('STORE_FAILED', 'no', { cause }))).toBe('free disk space, or choose another folder with --cache-dir');
  expect(hintOf(new TsbuildError('OUTPUT_FAILED', 'no', { cause }))).toBe('free disk space there, or write to another folder');
  expect(hintOf(new TsbuildError('STORE_FAILED', 'no', { cause, hint: 'own' }))).toBe('own');
});

test('a cause that the message says already is not said twice', () => {
  const error = new TsbuildError('STORE_FAILED', 'cannot open x: it is locked', { cause: new Error('it is locked') });
  expect(formatError(error, options)).toBe('error: cannot open x: it is locked');
});

test('a cause that is its own cause ends', () => {
  const cause = new Error('round');
  cause.cause = cause;
  expect(formatError(new TsbuildError('STORE_FAILED', 'no', { cause }), options)).toBe('error: no\n  cause: round');
});

test('control sequences of file names and servers do not reach the terminal', () => {
  expect(formatError(new TsbuildError('STORE_FAILED', 'a\x1b[2Jb\x07', { hint: '\x1b]0;t\x07h' }), options)).toBe('error: ab\n  hint: h');
});

describe('causes in plain words', () => {
  test.each([
    [
      system('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:5000', { address: '127.0.0.1', port: 5000 }),
      'nothing listens at 127.0.0.1:5000',
    ],
    [system('ENOTFOUND', 'getaddrinfo ENOTFOUND nope', { hostname: 'nope' }), 'the name nope is not known (DNS)'],
    [system('EAI_AGAIN', 'getaddrinfo EAI_AGAIN nope', { hostname: 'nope' }), 'the name nope cannot be looked up now (DNS)'],
    [system('ETIMEDOUT', 'connect ETIMEDOUT', { address: '10.0.0.1', port: 443 }), '10.0.0.1:443 does not answer'],
    [
      system('ECONNREFUSED', 'request to http://a:1/v2/ failed, reason: connect ECONNREFUSED 127.0.0.1:1'),
      'nothing listens at 127.0.0.1:1',
    ],
    [system('ENOTFOUND', 'request to http://a/v2/ failed, reason: getaddrinfo ENOTFOUND a'), 'the name a is not known (DNS)'],
    [system('ECONNRESET', 'socket hang up'), 'socket hang up'],
    [
      system('EPROTO', 'error:0A00010B:SSL routines:ssl3_get_record:wrong version number'),
      'it does not speak TLS: is it a plain HTTP registry?',
    ],
    [system('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate'), 'its certificate is self-signed'],
    [system('CERT_HAS_EXPIRED', 'certificate has expired'), 'its certificate has expired'],
    [system('ENOENT', "ENOENT: no such file or directory, open '/a'", { path: '/a' }), '/a does not exist'],
    [system('EACCES', "EACCES: permission denied, open '/a'", { path: '/a' }), 'no permission for /a'],
    [system('EROFS', 'EROFS: read-only file system', { path: '/a' }), 'the file system is read-only (/a)'],
    [system('EMFILE', 'EMFILE: too many open files'), 'too many files are open (ulimit -n)'],
  ])('%s', (cause, words) => {
    expect(formatError(new TsbuildError('REGISTRY_FAILED', 'no', { cause }), options)).toBe(`error: no\n  cause: ${words}`);
  });
});

test('a failure is told before what cleaning up after it met', () => {
  const failure = new TsbuildError('RUN_FAILED', 'the command failed');
  const cleanUp = new TsbuildError('STORE_FAILED', 'the work folder cannot be removed');
  const both = Object.assign(new Error('An error was suppressed during disposal'), {
    name: 'SuppressedError',
    error: cleanUp,
    suppressed: failure,
  });
  expect(formatError(both, options)).toBe('error: the command failed\n\nerror: the work folder cannot be removed\n\n2 errors');
});

test('of many errors only the first are shown, and how many there are', () => {
  const errors = Array.from({ length: 25 }, (_, index) => new TsbuildError('USAGE', `fault ${index + 1}`));
  const [first, ...rest] = errors;
  if (first === undefined) throw new Error('no error');
  const text = formatError(new TsbuildErrors([first, ...rest]), options);
  expect(text).toContain('error: fault 20\n');
  expect(text).not.toContain('fault 21');
  expect(text.endsWith('25 errors, of which these are the first 20')).toBe(true);
});
