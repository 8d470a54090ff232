/**
 * The process that becomes a RUN's proot, bundled on its own as dist/backend/proot/run-proot.cjs: holds itself and the command with
 * what needs no privilege, and executes proot. It never returns to tsbuild but by its report; a pipe that ends without a spec
 * means that it is not needed any more.
 */
import { chownSync, readFileSync, statSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { dieWithParent, forbidNewPrivileges } from '../../sys/credentials.ts';
import { closeInheritedFolders, keepOnlyStandardStreams, replaceProcess, resetSignals } from '../../sys/exec.ts';
import { ACCESS, restrictFiles } from '../../sys/landlock.ts';
import { systemError } from '../../sys/libc.ts';
import { installAskingFilter, installFilter } from '../../sys/seccomp.ts';
import { COMMAND_FDS } from '../command/command-report.ts';
import { SetupError, step } from '../command/setup-error.ts';
import { prootFilter } from './asked-calls.ts';
import type { FileRules, ProotReport, ProotSpec } from './proot-spec.ts';

const FILE = ACCESS.readFile | ACCESS.writeFile | ACCESS.truncate;
/** With the entries: where tsbuild's own programs belong to this user, too, another in the place of one would run without these limits. */
const FOLDER = FILE | ACCESS.refer | ACCESS.changeEntries;

closeInheritedFolders();
// Before the spec comes, since loading koffi takes a while.
process.umask(0o022);
forbidNewPrivileges();
const text = readFileSync(COMMAND_FDS.spec, 'utf8');
if (text !== '') {
  try {
    const spec = JSON.parse(text) as ProotSpec;
    prepare(spec);
    // Fails when tsbuild is gone, whose end would not be noticed any more.
    report({ kind: 'executing' });
    const [proot] = spec.argv;
    const { code } = systemError(-replaceProcess(proot, spec.argv, spec.env), 'execve');
    // The arguments are those of the command, and few of proot's own.
    if (code === 'E2BIG') report({ kind: 'exec', reason: 'failed', path: spec.command, code });
    else report({ kind: 'setup', what: `execute ${proot}`, why: code ?? 'unknown error', code: code ?? null });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    report({ kind: 'setup', what: error.what, why: error.message, code: error.code });
  }
  process.exitCode = 1;
}

function prepare({ files }: ProotSpec): void {
  // proot kills all that it traces when it gets this signal, and what it traces would go on without it.
  step('tie proot to tsbuild', () => dieWithParent(constants.signals.SIGQUIT));
  if (files !== null) step('restrict what commands may open', () => restrict(files));
  step('install the seccomp filter', filterSyscalls);
  step('reset signals', resetSignals);
  step('close descriptors', keepOnlyStandardStreams);
}

function restrict({ version, writable, readable }: FileRules): void {
  const allowed = [
    ...writable.map((path) => ({ path, access: statSync(path).isDirectory() ? FOLDER : FILE })),
    ...readable.map((path) => ({ path, access: ACCESS.readFile })),
  ];
  restrictFiles({ handled: FOLDER, allowed, version });
}

function filterSyscalls(): void {
  const asking = prootFilter(process.arch, 'ask');
  const fd = asking === undefined ? 'unsupported' : installAskingFilter(asking);
  if (fd !== 'unsupported') {
    report({ kind: 'listening', fd });
    // Answered once tsbuild has the descriptor, which ends with execve(2). Nothing is changed.
    chownSync('/', -1, -1);
    return;
  }
  const filter = prootFilter(process.arch, 'let be');
  if (filter !== undefined) installFilter(filter);
}

function report(line: ProotReport): void {
  writeSync(COMMAND_FDS.report, `${JSON.stringify(line)}\n`);
}
