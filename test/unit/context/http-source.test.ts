import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DownloadOptions, download } from '../../../src/context/http-source.ts';

let folder: string;
let server: Server;
let base: string;
let requests: IncomingMessage[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tsbuild-http-'));
  requests = [];
  server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

const get = (path: string, options: Partial<DownloadOptions> = {}) =>
  download(`${base}${path}`, { folder, signal: new AbortController().signal, firstDelayMs: 1, ...options });
const sha256 = (bytes: string | Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const body =
  (text: string | Buffer, headers: Record<string, string> = {}) =>
  (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, headers).end(text);
  };

test('gives the file with size, digest and time', async () => {
  answer = body('hello', { 'last-modified': 'Wed, 21 Oct 2015 07:28:00 GMT' });
  const got = await get('/d/f.txt?x=1');
  expect(got).toMatchObject({ size: 5, digest: sha256('hello'), lastModified: new Date('2015-10-21T07:28:00Z'), name: 'f.txt' });
  expect(readFileSync(got.path, 'utf8')).toBe('hello');
  expect(statSync(got.path).mode & 0o777).toBe(0o600);
});

test('stores what was sent, without undoing gzip', async () => {
  const zipped = gzipSync('hello');
  answer = body(zipped, { 'content-encoding': 'gzip' });
  expect((await get('/f')).digest).toBe(sha256(zipped));
  expect(requests[0]?.headers['accept-encoding'] ?? 'identity').not.toContain('gzip');
});

test('tells progress', async () => {
  answer = body('x'.repeat(100_000), { 'content-length': '100000' });
  const seen: [number, number | null][] = [];
  await get('/f', { onProgress: (bytes, total) => seen.push([bytes, total]) });
  expect(seen.at(-1)).toEqual([100_000, 100_000]);
});

describe('the name', () => {
  test('is the last part of the path, without query; else the last part of what the server offers', async () => {
    answer = body('x', { 'content-disposition': 'attachment; filename="up/offered"' });
    expect([(await get('/d/own%20name?q=a/b')).name, (await get('/?q=a/b')).name]).toEqual(['own name', 'offered']);
  });

  test.each<[string, string, string | null]>([
    ['/a/b.tar.gz', '', 'b.tar.gz'],
    ['/a/b%20c', '', 'b c'],
    ['/a/b%zz', '', 'b%zz'],
    ['/a/b/', '', 'b'],
    ['/x%2f..%2fy', '', 'y'],
    ['/', '', null],
    ['/', 'attachment; filename="q \\"x\\".bin"', 'q "x".bin'],
    ['/', 'attachment; filename=plain.bin; size=3', 'plain.bin'],
    ['/', "attachment; filename*=UTF-8''%c3%a9.bin; filename=e.bin", 'é.bin'],
    ['/', 'attachment; filename="../../etc/passwd"', 'passwd'],
    ['/', 'attachment; filename=".."', null],
    ['/url', 'attachment; filename=header', 'url'],
  ])('of %s with %j is %j', async (path, disposition, wanted) => {
    answer = body('x', disposition === '' ? {} : { 'content-disposition': disposition });
    expect((await get(path)).name).toBe(wanted);
  });
});

describe('redirects', () => {
  test('are followed, and the name stays that of the URL', async () => {
    answer = (request, response) => (request.url === '/a' ? response.writeHead(302, { location: '/b' }).end() : response.end('x'));
    expect(await get('/a')).toMatchObject({ size: 1, name: 'a' });
  });

  test('without end fail', async () => {
    answer = (_, response) => response.writeHead(302, { location: '/again' }).end();
    await expect(get('/a')).rejects.toMatchObject({ code: 'ADD_FAILED', message: expect.stringContaining('redirects') });
  });
});

describe('credentials', () => {
  test('are sent and appear in no message', async () => {
    answer = (_, response) => response.writeHead(403).end();
    const url = `${base.replace('://', '://us%40er:p%3Ass@')}/f?token=SECRET#frag`;
    const failure: Error = (await download(url, { folder, signal: new AbortController().signal }).catch((e: Error) => e)) as Error;
    expect(Buffer.from(requests[0]?.headers.authorization?.slice('Basic '.length) ?? '', 'base64').toString()).toBe('us@er:p:ss');
    expect(failure.message).toBe(`cannot download ${base}/f?...: the server answered 403 Forbidden`);
  });

  test('are not given to another host', async () => {
    const other = createServer((request, response) => response.end(String(request.headers.authorization)));
    await new Promise<void>((resolve) => other.listen(0, 'localhost', resolve));
    answer = (_, response) => response.writeHead(302, { location: `http://localhost:${(other.address() as AddressInfo).port}/` }).end();
    const got = await download(`${base.replace('://', '://u:p@')}/f`, { folder, signal: new AbortController().signal });
    other.closeAllConnections();
    await new Promise((resolve) => other.close(resolve));
    expect(readFileSync(got.path, 'utf8')).toBe('undefined');
  });
});

describe('failures', () => {
  test('that may pass are tried again', async () => {
    answer = (_, response) => (requests.length < 3 ? response.writeHead(503).end() : response.end('ok'));
    expect((await get('/f')).size).toBe(2);
    expect(requests).toHaveLength(3);
  });

  test('in the middle of the body are tried again from the start', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': '10' });
      if (requests.length === 1) response.write('01234', () => response.destroy());
      else response.end('0123456789');
    };
    expect(await get('/f')).toMatchObject({ size: 10, digest: sha256('0123456789') });
  });

  test('that stay name the status and the number of attempts, and leave nothing behind', async () => {
    answer = (_, response) => response.writeHead(500).end();
    await expect(get('/f', { attempts: 2 })).rejects.toMatchObject({
      code: 'ADD_FAILED',
      message: `cannot download ${base}/f: the server answered 500 Internal Server Error (tried 2 times)`,
    });
    expect(requests).toHaveLength(2);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('that are final are not repeated', async () => {
    answer = (_, response) => response.writeHead(404).end();
    await expect(get('/f')).rejects.toMatchObject({ code: 'ADD_FAILED', message: expect.stringContaining('404 Not Found') });
    expect(requests).toHaveLength(1);
  });

  test('to connect name the host and the reason', async () => {
    await expect(download('http://127.0.0.1:9/f', { folder, signal: new AbortController().signal, attempts: 1 })).rejects.toMatchObject({
      code: 'ADD_FAILED',
      message: 'cannot download http://127.0.0.1:9/f: 127.0.0.1:9: ECONNREFUSED (tried once)',
    });
  });

  test('by silence end after the limit, before the answer and within it', async () => {
    answer = () => undefined;
    await expect(get('/f', { stallMs: 50, attempts: 1 })).rejects.toMatchObject({
      message: expect.stringContaining('sent nothing for 0.05 s'),
    });
    answer = (_, response) => response.writeHead(200).write('x');
    await expect(get('/f', { stallMs: 50, attempts: 1 })).rejects.toMatchObject({
      message: expect.stringContaining('sent nothing for 0.05 s'),
    });
  });

  test.each(['ftp://host/x', 'nonsense', 'file:///etc/passwd'])('%s is no URL to download', async (url) => {
    await expect(download(url, { folder, signal: new AbortController().signal })).rejects.toMatchObject({ code: 'ADD_FAILED' });
  });
});

test('an abort ends the download with its reason and leaves nothing behind', async () => {
  answer = (_, response) => response.writeHead(200).write('x');
  const controller = new AbortController();
  const running = get('/f', { signal: controller.signal });
  setTimeout(() => controller.abort(new Error('stop')), 30);
  await expect(running).rejects.toThrow('stop');
  expect(readdirSync(folder)).toEqual([]);
});
