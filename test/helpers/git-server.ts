/**
 * Git repositories for tests, made with the system's git, and two servers for them: one of plain files ("dumb"), and one
 * of git's own http-backend ("smart"), which may ask for a password.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';

const ENV = {
  PATH: process.env['PATH'],
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  LC_ALL: 'C',
  GIT_AUTHOR_NAME: 'ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_AUTHOR_DATE: '2020-01-01T00:00:00Z',
  GIT_COMMITTER_NAME: 'ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
  GIT_COMMITTER_DATE: '2020-01-01T00:00:00Z',
};

export interface TestRepository {
  readonly folder: string;
  git(...args: readonly string[]): string;
  /** Writes files (null: removes one) and commits everything; the commit's hash. */
  commit(files: Readonly<Record<string, string | null>>): string;
  /**
   * Commits a submodule as .gitmodules and the index have it, fetched from nowhere and whatever git would think of it.
   * Not `git submodule add`: while that ran, a server of this process could not answer.
   */
  submodule(what: {
    readonly path: string;
    readonly commit: string;
    readonly name?: string;
    readonly settings: Readonly<Record<string, string>>;
  }): void;
  /** What a server of plain files has to offer; again after every change. */
  publish(): void;
}

export function testRepository(folder: string): TestRepository {
  mkdirSync(folder, { recursive: true });
  const git = (...args: readonly string[]): string =>
    execFileSync('git', ['-c', 'protocol.file.allow=always', '-c', 'init.defaultBranch=main', ...args], {
      cwd: folder,
      env: ENV,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  git('init', '--quiet');
  // Servers do not hand out every commit by its hash unless they are told to.
  git('config', 'uploadpack.allowAnySHA1InWant', 'false');
  return {
    folder,
    git,
    commit(files) {
      for (const [path, text] of Object.entries(files)) {
        if (text === null) git('rm', '--quiet', '-r', path);
        else {
          mkdirSync(dirname(join(folder, path)), { recursive: true });
          writeFileSync(join(folder, path), text);
        }
      }
      git('add', '--all');
      git('commit', '--quiet', '--allow-empty', '--message', 'change');
      return git('rev-parse', 'HEAD');
    },
    submodule({ path, commit, name = path, settings }) {
      for (const [key, value] of Object.entries({ path, ...settings }))
        git('config', '--file', '.gitmodules', `submodule.${name}.${key}`, value);
      git('add', '.gitmodules');
      git('update-index', '--add', '--cacheinfo', `160000,${commit},${path}`);
      git('commit', '--quiet', '--message', 'submodule');
    },
    publish: () => void git('update-server-info'),
  };
}

export interface TestServer {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly requests: readonly IncomingMessage[];
  close(): Promise<void>;
}

/** `root` as plain files, as any web server has it. */
export function dumbServer(root: string): Promise<TestServer> {
  return serve((request, response) => {
    const path = join(root, decodeURIComponent(new URL(request.url ?? '/', 'http://host').pathname));
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === true) response.end(readFileSync(path));
    else response.writeHead(404).end();
  });
}

/** Repositories below `root` by git's protocol; `password`: `user:password` that has to be sent. */
export function smartServer(root: string, password?: string): Promise<TestServer> {
  return serve((request, response) => {
    const expected = password === undefined ? undefined : `Basic ${Buffer.from(password).toString('base64')}`;
    if (expected !== undefined && request.headers.authorization !== expected) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="tests"' }).end();
      return;
    }
    backend(root, request, response);
  });
}

/** Accepts and never answers. */
export function silentServer(): Promise<TestServer> {
  return serve(() => undefined);
}

async function serve(handle: RequestListener): Promise<TestServer> {
  const requests: IncomingMessage[] = [];
  const server: Server = createServer((request, response) => {
    requests.push(request);
    handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** RFC 3875. */
function backend(root: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://host');
  const header = (name: string): string => String(request.headers[name] ?? '');
  const child = spawn('git', ['http-backend'], {
    env: {
      ...ENV,
      // The test's own user may not own the folder, as in a user namespace.
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: header('content-type'),
      HTTP_CONTENT_ENCODING: header('content-encoding'),
      GIT_PROTOCOL: header('git-protocol'),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  request.pipe(child.stdin);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.on('close', () => {
    const answer = Buffer.concat(chunks);
    const end = answer.indexOf('\r\n\r\n');
    const headers = answer
      .subarray(0, end)
      .toString('latin1')
      .split('\r\n')
      .map((line) => line.split(/: (.*)/s));
    const status = headers.find(([name]) => name === 'Status')?.[1] ?? '200';
    response.writeHead(
      Number.parseInt(status, 10),
      Object.fromEntries(headers.filter(([name]) => name !== 'Status') as [string, string][]),
    );
    response.end(answer.subarray(end + 4));
  });
}
