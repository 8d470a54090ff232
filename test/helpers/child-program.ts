/** Parts of tsbuild as processes of their own, for what only the death of a process shows: locks given back, things left behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface ChildProgram extends AsyncDisposable {
  /** The first line that it wrote. */
  readonly line: string;
  /** SIGKILL; resolves when it is dead. */
  kill(): Promise<void>;
}

/** Starts a bundle and waits for its first line. Throws with what it wrote to stderr when it ends before. */
export async function startProgram(bundle: string, args: readonly string[]): Promise<ChildProgram> {
  const child = spawn(process.execPath, [bundle, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = async (): Promise<void> => {
    if (!isRunning(child)) return;
    const dead = once(child, 'exit');
    child.kill('SIGKILL');
    await dead;
  };
  try {
    return { line: await firstLine(child), kill, [Symbol.asyncDispose]: kill };
  } catch (error) {
    await kill();
    throw error;
  }
}

/** Runs a bundle to its end; its output. Throws with what it wrote to stderr unless it ends with 0. */
export async function runProgram(bundle: string, args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [bundle, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => (texts.out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (texts.err += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${bundle} ended with ${code}: ${texts.err}`);
  return texts.out;
}

function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let out = '';
    let err = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      const end = out.indexOf('\n');
      if (end >= 0) resolve(out.slice(0, end));
    });
    child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.once('error', reject);
    child.once('close', () => reject(new Error(`the program ended without a word: ${err}`)));
  });
}
