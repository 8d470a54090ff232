import { describe, expect, it } from 'vitest';
import { parseChmod } from '../../../src/plan/chmod.ts';
import { parseCsvRecord } from '../../../src/plan/csv.ts';
import { exposedPorts } from '../../../src/plan/expose.ts';
import { checkReference } from '../../../src/plan/references.ts';
import { checkSignal } from '../../../src/plan/signals.ts';
import { sourceKind } from '../../../src/plan/sources.ts';

describe('parseCsvRecord', () => {
  it.each([
    ['a', ['a']],
    ['', ['']],
    ['a,,b,', ['a', '', 'b', '']],
    ['"a,b",c', ['a,b', 'c']],
    ['"say ""hi"""', ['say "hi"']],
    ['""', ['']],
    [' a , b', [' a ', ' b']],
  ])('splits %j', (text, fields) => {
    expect(parseCsvRecord(text)).toEqual(fields);
  });

  it.each(['a"b', '"a', '"a"b', 'a,b"c"'])('refuses %j', (text) => {
    expect(() => parseCsvRecord(text)).toThrow('quote is out of place');
  });
});

describe('sourceKind', () => {
  it.each([
    ['file', 'path'],
    ['', 'path'],
    ['/a/b@c', 'path'],
    ['github.com/owner/repo.git', 'path'],
    ['http:/x', 'path'],
    ['HTTP://x/y', 'path'],
    ['https://example.com/x', 'url'],
    ['http://example.com', 'url'],
    ['https://example.com/x?file=repo.git', 'url'],
    ['https://example.com/repo.git/file', 'url'],
    ['https://example.git/', 'url'],
    ['https://example.com/repo.git', 'git'],
    ['https://example.com/repo.git#v1:sub', 'git'],
    ['https://example.com/repo.git?ref=v1', 'git'],
    ['git://example.com/repo', 'git'],
    ['ssh://git@example.com/repo', 'git'],
    ['git@example.com:owner/repo', 'git'],
  ])('%s is a %s', (source, kind) => {
    expect(sourceKind(source)).toBe(kind);
  });
});

describe('checkReference', () => {
  const digest = `sha256:${'0'.repeat(64)}`;

  it.each([
    'alpine',
    'alpine:3.19',
    'library/alpine',
    'localhost/x',
    'localhost:5000/x/y/z:tag',
    'registry.example.com/a--b__c.d:TAG_1.x',
    `alpine@${digest}`,
    `r:5000/i:tag@${digest}`,
    '[::1]:5000/x',
    'Host.Example/x',
  ])('takes %s', (ref) => {
    expect(() => checkReference(ref)).not.toThrow();
  });

  it.each([
    '',
    'Alpine',
    'alpine:',
    ':tag',
    'a//b',
    '/a',
    'a/',
    'a b',
    'a:b:c',
    'a@b',
    '-a',
    'a_',
    'https://x/y',
    '0'.repeat(64),
    `alpine:${'t'.repeat(129)}`,
  ])('refuses "%s"', (ref) => {
    expect(() => checkReference(ref)).toThrow('is not an image reference');
  });
});

describe('exposedPorts', () => {
  it('writes ranges out and drops the host', () => {
    expect(exposedPorts('80-82/UDP')).toEqual(['80/udp', '81/udp', '82/udp']);
    expect(exposedPorts('[::1]:9000-9001:80-81')).toEqual(['80/tcp', '81/tcp']);
    expect(exposedPorts('8000-8010:80')).toEqual(['80/tcp']);
    expect(exposedPorts('80/')).toEqual(['80/tcp']);
    expect(exposedPorts('0')).toEqual(['0/tcp']);
    expect(exposedPorts('080')).toEqual(['80/tcp']);
  });
});

describe('parseChmod', () => {
  it('tells octal from symbolic', () => {
    expect(parseChmod('0755')).toEqual({ kind: 'octal', mode: 0o755 });
    expect(parseChmod('7777')).toEqual({ kind: 'octal', mode: 0o7777 });
    expect(parseChmod('0')).toEqual({ kind: 'octal', mode: 0 });
    expect(parseChmod('u=rwX,go=rX,+t')).toEqual({ kind: 'symbolic', text: 'u=rwX,go=rX,+t' });
    expect(parseChmod('u=g-x')).toEqual({ kind: 'symbolic', text: 'u=g-x' });
  });

  it.each(['8', '10000', '0x1', 'rwx', 'u+,', 'u', 'u+y', '+-q', ' 755'])('refuses "%s"', (text) => {
    expect(() => parseChmod(text)).toThrow('is not a mode');
  });
});

describe('checkSignal', () => {
  it.each(['1', '64', 'TERM', 'sigterm', 'SIGRTMIN', 'RTMIN+15', 'SIGRTMAX-14', 'RTMAX'])('takes %s', (signal) => {
    expect(() => checkSignal(signal)).not.toThrow();
  });

  it.each(['', '0', '65', '-1', '1.5', 'SIG', 'RTMIN+16', 'RTMIN+0', 'RTMAX-15', 'SIGSIGTERM', 'NOPE'])('refuses "%s"', (signal) => {
    expect(() => checkSignal(signal)).toThrow('is not a signal');
  });
});
