/** Asks a `docker-credential-<name>` program. Reference: docker/docker-credential-helpers, "Development". */
import { spawn } from 'node:child_process';
import { TsbuildError } from '../errors.ts';
import type { Credential } from './credential.ts';

/** Helpers that ask a cloud may need a while, but none may hold up a build for ever. */
const TIME_LIMIT_MS = 60_000;

/** Null when the helper knows nothing of `server`. Throws AUTH_CONFIG_INVALID when it cannot be asked. */
export async function askCredentialHelper(
  name: string,
  server: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Credential | null> {
  const program = `docker-credential-${name}`;
  if (!/^[A-Za-z0-9._-]+$/.test(name)) throw new TsbuildError('AUTH_CONFIG_INVALID', `"${name}" is not the name of a credential helper`);
  const { code, stdout } = await run(program, server, env);
  if (code !== 0) {
    if (/credentials not found/i.test(stdout)) return null;
    throw new TsbuildError('AUTH_CONFIG_INVALID', `${program} failed for ${server} with exit status ${code}`, {
      hint: `run: echo ${server} | ${program} get`,
    });
  }
  return parseAnswer(stdout, program);
}

function parseAnswer(stdout: string, program: string): Credential | null {
  let answer: { Username?: unknown; Secret?: unknown } | null;
  try {
    answer = JSON.parse(stdout) as typeof answer;
  } catch {
    throw new TsbuildError('AUTH_CONFIG_INVALID', `${program} did not answer with JSON`);
  }
  const { Username: username, Secret: secret } = answer ?? {};
  if (typeof username !== 'string' || typeof secret !== 'string') {
    throw new TsbuildError('AUTH_CONFIG_INVALID', `${program} did not answer with a user name and a secret`);
  }
  if (username === '' && secret === '') return null;
  return username === '<token>' ? { kind: 'identity-token', username, token: secret } : { kind: 'password', username, password: secret };
}

function run(program: string, input: string, env: Readonly<Record<string, string | undefined>>): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], { env: { ...env }, stdio: ['pipe', 'pipe', 'ignore'], timeout: TIME_LIMIT_MS });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A helper that fails early does not read its input.
    child.stdin.on('error', () => undefined);
    child.on('error', (cause: NodeJS.ErrnoException) => {
      const missing = cause.code === 'ENOENT';
      reject(
        new TsbuildError(
          'AUTH_CONFIG_INVALID',
          `the credential helper ${program} ${missing ? 'is not installed' : `cannot run: ${cause.message}`}`,
          {
            hint: 'install it, or write the credentials under "auths" of the Docker config file',
            cause,
          },
        ),
      );
    });
    child.on('close', (code) => resolve({ code: code ?? -1, stdout: Buffer.concat(chunks).toString('utf8') }));
    child.stdin.end(input);
  });
}
