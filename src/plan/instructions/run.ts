/**
 * RUN: argv, environment, mounts. A heredoc alone is the shell's argument, or a script when it begins with `#!`; with
 * other words around, the shell reads the heredocs itself. Reference: BuildKit dockerfile2llb, dispatchRun.
 */
import { expandWord } from '../../dockerfile/expand.ts';
import type { Instruction } from '../../dockerfile/instruction.ts';
import { runCreatedBy } from '../created-by.ts';
import { notSupported, semanticError } from '../faults.ts';
import { proxyEnv } from '../global-args.ts';
import { type AgentSocket, mountFields, parseMount, USE_A_SECRET } from '../mounts.ts';
import { DEFAULT_HOSTNAME, type Mount, type RunStep } from '../plan.ts';
import { argPairs, runEnv, shellOf, workingDir } from '../stage-state.ts';
import { hasUncheckedCommands } from '../unchecked-commands.ts';
import { flagValue, type Lowering } from './lowering.ts';

/** Where the kernel finds scripts of heredocs. */
const PIPES = '/dev/pipes';

/** What can be said without variables. Throws DOCKERFILE_SEMANTICS. */
export function checkRun(instruction: Instruction): void {
  networkOf(instruction);
  const security = flagValue(instruction, 'security') ?? 'sandbox';
  if (security !== 'sandbox' && security !== 'insecure') throw invalidMode('security', security, ['sandbox', 'insecure']);
  for (const mount of mountFlags(instruction)) mountFields(mount);
}

export function lowerRun(lowering: Lowering, instruction: Instruction): RunStep {
  checkRun(instruction);
  if (flagValue(instruction, 'security') === 'insecure') {
    throw notSupported('RUN --security=insecure is not supported', 'no step gets more rights than Docker gives by default');
  }
  if (instruction.flags.some(({ name }) => name === 'device')) throw notSupported('RUN --device is not supported');
  const { state, place, buildArgs } = lowering;
  const command = commandOf(instruction, shellOf(state));
  if (command.body !== null && hasUncheckedCommands(shellOf(state), command.body)) {
    lowering.warn('a command of this heredoc that fails does not fail the step, unless it is the last', 'begin the body with "set -e"');
  }
  const flags = mountFlags(instruction).map((flag) => lowerMount(lowering, flag));
  const sockets = flags.filter((mount) => mount.type === 'ssh');
  if (sockets.length > 0) lowering.warn('the mount of type ssh is left out', USE_A_SECRET);
  const env = withAgentSocket(runEnv(state), sockets);
  return {
    ...place,
    kind: 'run',
    title: command.title ?? place.title,
    createdBy: runCreatedBy(argPairs(state), command.history),
    argv: command.argv,
    env,
    proxyEnv: proxyEnv(buildArgs, new Set(env.map((pair) => pair.slice(0, pair.indexOf('='))))),
    cwd: workingDir(state),
    user: state.config.User ?? '',
    mounts: flags.filter((mount) => mount.type !== 'ssh'),
    network: networkOf(instruction),
    hostname: hostnameOf(buildArgs),
    scripts: command.scripts,
  };
}

interface Command {
  readonly argv: readonly string[];
  /** argv as BuildKit's history shows it. */
  readonly history: readonly string[];
  readonly scripts: RunStep['scripts'];
  readonly title: string | null;
  /** Of a heredoc that the shell is given as its script. */
  readonly body: string | null;
}

function commandOf({ args, json, heredocs, text }: Instruction, shell: readonly string[]): Command {
  const plain = (argv: readonly string[]): Command => ({ argv, history: argv, scripts: [], title: null, body: null });
  if (json !== null) return plain(json);
  const [first] = heredocs;
  if (first === undefined) return plain([...shell, args]);
  if (heredocs.length > 1 || args !== first.word) {
    return plain([...shell, args + heredocs.map(({ raw, name }) => `\n${raw}${name}`).join('')]);
  }
  const title = `${text.trim()} (${firstLine(first.body)})`;
  if (!first.body.startsWith('#!')) return { ...plain([...shell, first.body]), title, body: first.body };
  const script = `${PIPES}/${first.name}`;
  // The kernel runs the script itself: an image without a shell will do. Docker's history has the shell nevertheless.
  return { argv: [script], history: [...shell, script], scripts: [{ name: first.name, body: first.body }], title, body: null };
}

function firstLine(body: string): string {
  const [line = '', ...rest] = body.trim().split(/\r?\n/);
  return rest.length === 0 ? line : `${line}...`;
}

/** BuildKit names the first socket even where no agent was given. */
function withAgentSocket(env: readonly string[], [first]: readonly AgentSocket[]): readonly string[] {
  if (first === undefined || env.some((pair) => pair.startsWith('SSH_AUTH_SOCK='))) return env;
  return [...env, `SSH_AUTH_SOCK=${first.target ?? '/run/buildkit/ssh_agent.0'}`];
}

function lowerMount(lowering: Lowering, flag: string): Mount | AgentSocket {
  return parseMount(flag, {
    expand: (word) => expandWord(word, lowering.scope),
    origin: (from) => lowering.origin(from, 'RUN --mount from'),
    cwd: workingDir(lowering.state),
  });
}

function mountFlags({ flags }: Instruction): readonly string[] {
  return flags.filter(({ name }) => name === 'mount').map(({ value }) => value ?? '');
}

function networkOf(instruction: Instruction): 'host' | 'none' {
  const mode = flagValue(instruction, 'network') ?? 'default';
  if (mode === 'none') return 'none';
  if (mode === 'default' || mode === 'host') return 'host';
  throw invalidMode('network', mode, ['default', 'none', 'host']);
}

/** The build argument needs no ARG. */
function hostnameOf(buildArgs: ReadonlyMap<string, string>): string {
  const name = buildArgs.get('BUILDKIT_SANDBOX_HOSTNAME') || DEFAULT_HOSTNAME;
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/.test(name)) return name;
  throw semanticError(`the build argument BUILDKIT_SANDBOX_HOSTNAME is not the name of a host: "${name}"`, 'letters, digits, "-" and "."');
}

function invalidMode(flag: string, mode: string, known: readonly string[]): Error {
  return semanticError(`invalid ${flag} mode "${mode}"`, `one of: ${known.join(', ')}`);
}
