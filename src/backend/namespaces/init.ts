/**
 * The first process of a RUN's namespaces, bundled on its own as dist/backend/namespaces/init.cjs: builds the rootfs out of
 * mounts, gives up what a RUN must not have, and becomes the command. It never returns to tsbuild but by its report; a
 * pipe that ends without a spec means that it is not needed any more.
 */
import { fchownSync, readFileSync, writeSync } from 'node:fs';
import { dieWithParent, limitBoundingSet, limitCapabilities, setIds } from '../../sys/credentials.ts';
import { closeInheritedFolders, joinStderrToStdout, keepOnlyStandardStreams, resetSignals, startSession } from '../../sys/exec.ts';
import { makeNode } from '../../sys/mknod.ts';
import { pivotRoot, unmountDetached } from '../../sys/mount.ts';
import { enterLoopbackNetwork, setHostname } from '../../sys/network.ts';
import { installAskingFilter, installFilter } from '../../sys/seccomp.ts';
import { DOCKER_CAPABILITIES } from '../command/capabilities.ts';
import { COMMAND_FDS } from '../command/command-report.ts';
import { executeCommand } from '../command/execute-command.ts';
import { SetupError, step } from '../command/setup-error.ts';
import { enterWorkingDirectory } from '../command/working-directory.ts';
import type { InitReport, InitSpec } from './init-spec.ts';
import { mountOverlay } from './sandbox/mount-overlay.ts';
import { makeMounts } from './sandbox/mounts.ts';
import { seccompFilter } from './sandbox/seccomp-filter.ts';

closeInheritedFolders();
// Before the spec comes, since loading koffi takes a while.
startSession();
const text = readFileSync(COMMAND_FDS.spec, 'utf8');
if (text !== '') {
  try {
    const spec = JSON.parse(text) as InitSpec;
    prepare(spec);
    // Fails when tsbuild is gone, and so may be the parent, whose end would not be noticed any more.
    report({ kind: 'executing' });
    report({ kind: 'exec', ...executeCommand(spec.argv, spec.env) });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    report({ kind: 'setup', what: error.what, why: error.message, code: error.code });
  }
  process.exitCode = 1;
}

/** Everything up to execve. The order matters: each step needs rights that a later one gives up. */
function prepare(spec: InitSpec): void {
  process.umask(0);
  if (spec.network === 'none') step('make a network without interfaces', enterLoopbackNetwork);
  step('set the host name', () => setHostname(spec.hostname));
  const root = mountOverlay(spec.root);
  makeMounts(root, spec);
  step('enter the rootfs', () => enterRoot(root));
  process.umask(0o022);
  enterWorkingDirectory(spec.cwd);
  // Until here stderr was for messages of unshare, Node and init.
  step('join stderr to stdout', joinStderrToStdout);
  // A user that is not root may open /dev/stdout again only when the pipe is its own.
  step('hand over the output', () => fchownSync(1, spec.user.uid, spec.user.gid));
  step('limit the capability bounding set', () => limitBoundingSet(DOCKER_CAPABILITIES));
  step('install the seccomp filter', () => filterSyscalls(spec.devices));
  step(`become user ${spec.user.uid}:${spec.user.gid}`, () => setIds(spec.user.uid, spec.user.gid, spec.user.groups));
  step('limit the capabilities', () => limitCapabilities(DOCKER_CAPABILITIES));
  step('tie the command to its parent', dieWithParent);
  step('reset signals', resetSignals);
  step('close descriptors', keepOnlyStandardStreams);
}

/** Before the user changes, because it needs CAP_SYS_ADMIN. Capabilities hold a RUN also on kernels without seccomp. */
function filterSyscalls(devices: InitSpec['devices']): void {
  const asking = devices === 'ask' ? seccompFilter(process.arch, 'ask') : undefined;
  const fd = asking === undefined ? 'unsupported' : installAskingFilter(asking);
  if (fd !== 'unsupported') {
    report({ kind: 'listening', fd });
    // Answered once tsbuild has the descriptor, which ends with execve(2). Nothing is made.
    makeNode('/', { type: 'char', mode: 0, major: 1, minor: 3 });
    return;
  }
  const filter = seccompFilter(process.arch, 'kernel');
  if (filter !== undefined) installFilter(filter);
}

/** pivot_root rather than chroot: CAP_SYS_CHROOT, which a RUN has, leads out of a chroot. The old root is stacked on the new one and taken away. */
function enterRoot(root: string): void {
  process.chdir(root);
  pivotRoot('.', '.');
  unmountDetached('.');
  process.chdir('/');
}

function report(line: InitReport): void {
  writeSync(COMMAND_FDS.report, `${JSON.stringify(line)}\n`);
}
