/**
 * The process that becomes a command where there are no namespaces for it, bundled on its own as dist/backend/command/run.cjs:
 * enters the rootfs, gives up what a RUN must not have, and executes it. It never returns to tsbuild but by its report; a pipe
 * that ends without a spec means that it is not needed any more.
 */
import { fchownSync, readFileSync, writeSync } from 'node:fs';
import { enterChroot } from '../../sys/chroot.ts';
import { dieWithParent, limitBoundingSet, limitCapabilities, setIds } from '../../sys/credentials.ts';
import { closeInheritedFolders, joinStderrToStdout, keepOnlyStandardStreams, openAsStdin, resetSignals } from '../../sys/exec.ts';
import { enterLoopbackNetwork } from '../../sys/network.ts';
import { hideFromOthers, showToOthers } from '../../sys/process-family.ts';
import { confine } from '../confined/confine.ts';
import { COMMAND_FDS } from './command-report.ts';
import type { CommandSpec, RunReport } from './command-spec.ts';
import { executeCommand } from './execute-command.ts';
import { SetupError, step } from './setup-error.ts';
import { enterWorkingDirectory } from './working-directory.ts';

closeInheritedFolders();
// It waits while another command runs, which may be root and has the same pids. Before the spec comes, since loading koffi takes a while.
hideFromOthers();
const text = readFileSync(COMMAND_FDS.spec, 'utf8');
if (text !== '') {
  try {
    const spec = JSON.parse(text) as CommandSpec;
    prepare(spec);
    // Fails when tsbuild is gone, whose end would not be noticed any more.
    report({ kind: 'executing' });
    report({ kind: 'exec', ...executeCommand(spec.argv, spec.env) });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    report({ kind: 'setup', what: error.what, why: error.message, code: error.code });
  }
  process.exitCode = 1;
}

/** Everything up to execve. The order matters: each step needs rights that a later one gives up. */
function prepare({ root, network, cwd, user, capabilities, confinement }: CommandSpec): void {
  const keep = BigInt(`0x${capabilities}`);
  if (network === 'none') step('make a network without interfaces', enterLoopbackNetwork);
  if (root !== null) step('enter the rootfs', () => enterChroot(root));
  process.umask(0o022);
  enterWorkingDirectory(cwd);
  // Until here stderr was for messages of Node and of this file.
  step('join stderr to stdout', joinStderrToStdout);
  // The /dev/null that it was started with may be the machine's, whose mode and times root could change by its descriptor.
  step('open /dev/null', () => openAsStdin('/dev/null'));
  // A user that is not root may open /dev/stdout again only when the pipe is its own.
  step('hand over the output', () => fchownSync(1, user.uid, user.gid));
  step('limit the capability bounding set', () => limitBoundingSet(keep));
  // As root, which may look at all places that are allowed.
  if (confinement !== null) step('confine the command by Landlock', () => confine(confinement, listening));
  step(`become user ${user.uid}:${user.gid}`, () => setIds(user.uid, user.gid, user.groups));
  step('limit the capabilities', () => limitCapabilities(keep));
  step('tie the command to tsbuild', dieWithParent);
  step('reset signals', resetSignals);
  step('close descriptors', keepOnlyStandardStreams);
}

/** The descriptor is taken over by tsbuild, which may not look into a hidden process either. */
function listening(fd: number): void {
  showToOthers();
  report({ kind: 'listening', fd });
}

function report(line: RunReport): void {
  writeSync(COMMAND_FDS.report, `${JSON.stringify(line)}\n`);
}
