/**
 * The pipes to a process that becomes a command: it is started before it is needed, since Node takes a while to start, and waits
 * for its spec. Its stdout is that of the command; stderr, until the two are joined, takes the messages of everything before.
 */
import type { ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { TsbuildError } from '../../errors.ts';
import { handOnNoDescriptors, openPipe } from '../../sys/exec.ts';
import type { ExitStatus } from '../backend.ts';
import { COMMAND_FDS } from './command-report.ts';
import { setupFailed } from './run-errors.ts';

/** `R`: what it reports. Promises that nobody awaits reject unheard. */
export interface StartedProcess<R> {
  readonly child: ChildProcess;
  /** Rejects with BACKEND_FAILED where it could not be started. */
  readonly exit: Promise<ExitStatus>;
  readonly output: Socket;
  /** No process holds the output any more. */
  readonly outputEnded: Promise<void>;
  /** What was said on stderr before it became the command's. */
  readonly messages: Promise<string>;
  readonly reports: Reports<R>;
  /** Gives it its spec; without one it leaves. */
  tell(spec: string): void;
}

export interface Reports<R> {
  /** Calls back for each report from now on. */
  listen(listener: (report: R) => void): void;
  /** Complete after `ended`. */
  all(): readonly R[];
  readonly ended: Promise<void>;
}

/**
 * `start` gets the descriptor for the process's stdout, makes pipes of descriptor 2 and of COMMAND_FDS, and hands on no other.
 * Throws BACKEND_FAILED.
 */
export function startedProcess<R>(start: (stdout: number) => ChildProcess): StartedProcess<R> {
  const { child, readEnd } = withOutputPipe(start);
  const output = new Socket({ fd: readEnd, readable: true, writable: false });
  const messages = textOf(child.stderr as Readable);
  messages.catch(ignore);
  const input = child.stdio[COMMAND_FDS.spec] as Writable;
  // The other end may be gone already; how the process ended tells why.
  input.on('error', ignore);
  return {
    child,
    exit: exitOf(child),
    output,
    outputEnded: ended(output),
    messages,
    reports: reportsOf<R>(child.stdio[COMMAND_FDS.report] as Readable),
    tell: (spec) => void input.end(spec),
  };
}

/** `readEnd`: of the pipe that is the command's output. */
function withOutputPipe(start: (stdout: number) => ChildProcess): { readonly child: ChildProcess; readonly readEnd: number } {
  const { readEnd, writeEnd } = outputPipe();
  let child: ChildProcess | undefined;
  try {
    // What tsbuild's caller left open must not reach a process that is root inside a sandbox.
    handOnNoDescriptors();
    child = start(writeEnd);
  } finally {
    closeSync(writeEnd);
    if (child?.stdio === undefined) closeSync(readEnd);
  }
  // Where descriptors run out, child_process makes no streams, whatever its types say; the 'error' comes later.
  if (child.stdio === undefined) {
    child.once('error', ignore);
    throw cannotStart('too many files are open', 'EMFILE');
  }
  return { child, readEnd };
}

function outputPipe(): ReturnType<typeof openPipe> {
  try {
    return openPipe();
  } catch (cause) {
    const { message, code } = cause as NodeJS.ErrnoException;
    throw cannotStart(message, code ?? null);
  }
}

function cannotStart(why: string, code: string | null): TsbuildError {
  return setupFailed('start the sandbox', why, code);
}

function exitOf(child: ChildProcess): Promise<ExitStatus> {
  const exit = new Promise<ExitStatus>((resolve, reject) => {
    child.once('error', (cause) => reject(cannotStart(cause.message, (cause as NodeJS.ErrnoException).code ?? null)));
    child.once('exit', (code, signal) => resolve(signal === null ? { kind: 'code', code: code ?? 0 } : { kind: 'signal', signal }));
  });
  // It is awaited later, or never when the process is not needed.
  exit.catch(ignore);
  return exit;
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString('utf8');
}

/** Rejections are for whoever awaits it; nobody may. */
function ended(socket: Socket): Promise<void> {
  const promise = new Promise<void>((resolve, reject) => {
    socket.once('close', () => resolve());
    socket.once('error', reject);
  });
  promise.catch(ignore);
  return promise;
}

function reportsOf<R>(stream: Readable): Reports<R> {
  const reports: R[] = [];
  let listener: (report: R) => void = ignore;
  const lines = createInterface({ input: stream });
  lines.on('line', (line) => {
    const report = JSON.parse(line) as R;
    reports.push(report);
    listener(report);
  });
  const ended = new Promise<void>((resolve) => void lines.once('close', resolve));
  return { listen: (own) => void (listener = own), all: () => reports, ended };
}

export function ignore(): void {
  // Told elsewhere, or of no interest any more.
}
