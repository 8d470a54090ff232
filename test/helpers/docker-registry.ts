/** Debian's docker-registry on a free port of 127.0.0.1, with a folder of its own. Ended by its process id. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly host: string;
}

export interface DockerRegistryOptions {
  /** Asked for as HTTP basic authentication; none: everybody may do everything. */
  readonly login?: { readonly username: string; readonly bcryptHash: string };
}

const START_LIMIT_MS = 15_000;

export async function startDockerRegistry({ login }: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'tsbuild-registry-'));
  const host = `127.0.0.1:${await freePort()}`;
  const htpasswd = join(folder, 'htpasswd');
  if (login !== undefined) await writeFile(htpasswd, `${login.username}:${login.bcryptHash}\n`);
  // JSON is YAML.
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
    http: { addr: host },
    ...(login === undefined ? {} : { auth: { htpasswd: { realm: 'test', path: htpasswd } } }),
  };
  await writeFile(join(folder, 'config.yml'), JSON.stringify(config));
  const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], { stdio: ['ignore', 'ignore', 'pipe'] });
  const registry = { host, [Symbol.asyncDispose]: () => stop(child, folder) };
  try {
    await answers(child, host);
  } catch (error) {
    await stop(child, folder);
    throw error;
  }
  return registry;
}

async function answers(child: ChildProcess, host: string): Promise<void> {
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  for (const end = Date.now() + START_LIMIT_MS; Date.now() < end; ) {
    if (child.exitCode !== null) break;
    try {
      // 401 is an answer too.
      await (await fetch(`http://${host}/v2/`)).arrayBuffer();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }
  throw new Error(`docker-registry does not answer at ${host}: ${log}`);
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null) {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
  await rm(folder, { recursive: true, force: true });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}
