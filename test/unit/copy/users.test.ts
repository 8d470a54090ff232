import { describe, expect, test } from 'vitest';
import { folderOwner, resolveOwner, resolveUser } from '../../../src/copy/users.ts';

const FILES: Readonly<Record<string, string>> = {
  '/etc/passwd': [
    'root:x:0:0:root:/root:/bin/sh',
    '# comment',
    'daemon:x:1:1::/:/bin/false',
    'broken',
    'odd:x:nan:1::/:',
    'bob:x:1500:1600:Bob,,:/home/bob:/bin/sh\r',
    'nohome:x:7:8:::',
  ].join('\n'),
  '/etc/group': 'root:x:0:\nwheel:x:10:root,bob\nbob:x:1600:\nteam:x:1700:bob, daemon\nempty:x:1800:\nteam2:x:1701:bob',
};
const read = (path: string) => (FILES[path] === undefined ? undefined : Buffer.from(FILES[path]));
const nothing = () => undefined;
const notFound = (message: RegExp, hint?: RegExp) =>
  expect.objectContaining({
    code: 'USER_NOT_FOUND',
    message: expect.stringMatching(message),
    ...(hint ? { hint: expect.stringMatching(hint) } : {}),
  }) as Error;

describe('--chown', () => {
  test.each<[string, number, number]>([
    ['1000', 1000, 1000],
    ['1500', 1500, 1500],
    ['12:34', 12, 34],
    ['bob', 1500, 1600],
    ['bob:77', 1500, 77],
    ['bob:team', 1500, 1700],
    ['1500:team', 1500, 1700],
    [':team', 0, 1700],
    [':5', 0, 5],
    ['bob:', 1500, 1600],
    ['', 0, 0],
    ['4294967294', 4294967294, 4294967294],
  ])('%j is %d:%d', (spec, uid, gid) => expect(resolveOwner(spec, read)).toEqual({ uid, gid }));

  test('numbers need no files, and neither does root', () => {
    expect(resolveOwner('12:34', nothing)).toEqual({ uid: 12, gid: 34 });
    expect(resolveOwner('root:root', nothing)).toEqual({ uid: 0, gid: 0 });
  });

  test('unknown names fail, name the file and what is near', () => {
    expect(() => resolveOwner('nosuch', read)).toThrowError(notFound(/user "nosuch" is not in \/etc\/passwd/, /add the user/));
    expect(() => resolveOwner('deamon', read)).toThrowError(notFound(/"deamon"/, /did you mean daemon\?/));
    expect(() => resolveOwner('bob:taem', read)).toThrowError(notFound(/group "taem" is not in \/etc\/group/, /did you mean team\?/));
    expect(() => resolveOwner('odd', read)).toThrowError(notFound(/"odd"/));
  });

  test('names in an image without accounts fail with a way out', () => {
    expect(() => resolveOwner('bob', nothing)).toThrowError(notFound(/the image has no \/etc\/passwd/, /numbers/));
    expect(() => resolveOwner('1:team', nothing)).toThrowError(notFound(/the image has no \/etc\/group/));
  });

  test('numbers that are no ids fail', () => expect(() => resolveOwner('4294967295', read)).toThrowError(notFound(/larger than any/)));
});

describe('folders of WORKDIR', () => {
  test.each<[string, number, number]>([
    ['', 0, 0],
    ['bob', 1500, 1600],
    ['bob:team', 1500, 1700],
    ['bob:77', 1500, 77],
    ['bob:root', 1500, 0],
    ['root', 0, 0],
    [':team', 0, 1700],
  ])('for USER %j belong to %d:%d', (spec, uid, gid) => expect(folderOwner(spec, read)).toEqual({ uid, gid, unknown: [] }));

  test('for a numeric USER belong to the group of that number, whatever passwd says', () => {
    expect(folderOwner('1500', read)).toEqual({ uid: 1500, gid: 1500, unknown: [] });
    expect(folderOwner('4321', read)).toEqual({ uid: 4321, gid: 4321, unknown: [] });
  });

  test('for a USER that the image does not know belong to root, and that is told', () => {
    expect(folderOwner('nosuch', read)).toEqual({ uid: 0, gid: 0, unknown: ['the user "nosuch" is not in /etc/passwd'] });
    expect(folderOwner('nosuch:team', read)).toEqual({ uid: 0, gid: 1700, unknown: ['the user "nosuch" is not in /etc/passwd'] });
    expect(folderOwner('bob:nosuch', read)).toEqual({ uid: 1500, gid: 1600, unknown: ['the group "nosuch" is not in /etc/group'] });
    expect(folderOwner('bob', nothing)).toEqual({ uid: 0, gid: 0, unknown: ['the user "bob" is not in /etc/passwd'] });
    expect(folderOwner('root:root', nothing)).toEqual({ uid: 0, gid: 0, unknown: [] });
  });

  test('for a number that is no id fail', () => expect(() => folderOwner('4294967295', read)).toThrowError(notFound(/larger than any/)));
});

describe('USER', () => {
  test.each([
    ['', { uid: 0, gid: 0, groups: [0, 10], home: '/root' }],
    ['root', { uid: 0, gid: 0, groups: [0, 10], home: '/root' }],
    ['bob', { uid: 1500, gid: 1600, groups: [10, 1600, 1700, 1701], home: '/home/bob' }],
    ['1500', { uid: 1500, gid: 1600, groups: [10, 1600, 1700, 1701], home: '/home/bob' }],
    ['bob:empty', { uid: 1500, gid: 1800, groups: [1800], home: '/home/bob' }],
    ['1500:5', { uid: 1500, gid: 5, groups: [5], home: '/home/bob' }],
    ['4321', { uid: 4321, gid: 0, groups: [0], home: '/' }],
    ['5:6', { uid: 5, gid: 6, groups: [6], home: '/' }],
    [':5', { uid: 0, gid: 5, groups: [5], home: '/root' }],
    ['nohome', { uid: 7, gid: 8, groups: [8], home: '/' }],
  ])('%j', (spec, wanted) => expect(resolveUser(spec, read)).toEqual(wanted));

  test('without accounts is root or numbers', () => {
    expect(resolveUser('', nothing)).toEqual({ uid: 0, gid: 0, groups: [0], home: '/' });
    expect(resolveUser('1000', nothing)).toEqual({ uid: 1000, gid: 0, groups: [0], home: '/' });
    expect(() => resolveUser('bob', nothing)).toThrowError(notFound(/no \/etc\/passwd/));
  });

  test('unknown fails', () => expect(() => resolveUser('nosuchuser:nosuchgroup', read)).toThrowError(notFound(/"nosuchuser"/)));
});
