/** One run of the command: parse, build, tell, write results. Knows no process: everything of it comes in as values. */
import type { SourceText } from '../dockerfile/instruction.ts';
import { TsbuildError } from '../errors.ts';
import type { Published } from '../output/image-sink.ts';
import { createReporter } from '../report/create-reporter.ts';
import { formatError } from '../report/error-text.ts';
import type { ReportOptions, ReportWorld } from '../report/reporter.ts';
import type { CommandWorld, ExitKind } from './command-world.ts';
import type { BuildOptions } from './options.ts';
import { type CommandLine, parseCommandLine } from './parse-command-line.ts';
import { collectProblems } from './problems.ts';
import { readFlags } from './read-flags.ts';
import { resolveReport } from './resolve-report.ts';
import { type SubcommandName, subcommandOf } from './subcommands.ts';
import { VERSION } from './version.ts';

/** Never rejects: whatever goes wrong is told on stderr and in the result. A number is the exit code of `runElsewhere`. */
export async function runCommand(argv: readonly string[], world: CommandWorld): Promise<ExitKind | number> {
  let line: CommandLine;
  try {
    const subcommand = subcommandOf(argv);
    if (subcommand !== undefined) return await runSubcommandTelling(subcommand, argv.slice(1), world);
    line = parseCommandLine(argv, world);
  } catch (error) {
    await tellLineError(error, argv, world);
    return error instanceof TsbuildError ? 'usage' : 'failed';
  }
  if (line.asks === 'version') {
    world.writeResult(`${VERSION}\n`);
    return 'told';
  }
  if (line.asks === 'help') {
    const { helpText } = await import('./help.ts');
    world.writeResult(helpText(world.columns));
    return 'told';
  }
  return runBuildCommand(line.options, world);
}

async function runBuildCommand(options: BuildOptions, world: CommandWorld): Promise<ExitKind | number> {
  const quoted = new Map<string, SourceText>();
  const reportWorld: ReportWorld = { ...world.report, readSource: (file) => quoted.get(file) ?? world.report.readSource(file) };
  const reporter = await createReporter(options.report, reportWorld);
  try {
    // It needs no user namespace, and in one this user's ids are others.
    const elsewhere = options.execution.isolation === 'proot' ? null : await world.runElsewhere();
    // The other process has told everything.
    if (elsewhere !== null) return elsewhere;
    const { notice } = options.report;
    if (notice !== undefined) reporter.report({ type: 'warning', message: notice });
    const quote = (source: SourceText): void => void quoted.set(source.file, source);
    const { published, unwritten } = await world.runBuild(options, { report: reporter.report, signal: world.signal, quote });
    reporter.finish(unwritten === null ? { kind: 'built' } : { kind: 'failed', error: unwritten });
    world.writeResult(resultLines(options, published));
    return unwritten === null ? 'built' : 'failed';
  } catch (error) {
    if (world.signal.aborted) {
      reporter.finish({ kind: 'cancelled' });
      return 'cancelled';
    }
    reporter.finish({ kind: 'failed', error });
    return error instanceof TsbuildError && error.code === 'USAGE' ? 'usage' : 'failed';
  } finally {
    reporter.close();
  }
}

async function runSubcommandTelling(name: SubcommandName, argv: readonly string[], world: CommandWorld): Promise<ExitKind | number> {
  const { runSubcommand } = await import('./run-subcommand.ts');
  try {
    return await runSubcommand(name, argv, world);
  } catch (error) {
    if (world.signal.aborted) return 'cancelled';
    tellError(error, world);
    return error instanceof TsbuildError && error.code === 'USAGE' ? 'usage' : 'failed';
  }
}

/** What is wrong with a command line, as JSON where the line asks for that, be it wrong in other things. */
async function tellLineError(error: unknown, argv: readonly string[], world: CommandWorld): Promise<void> {
  const flags = readFlags(argv, collectProblems());
  const asked = { progress: flags.value('progress'), logFormat: flags.value('log-format'), verbosity: flags.value('verbosity') };
  const options = resolveReport({ ...asked, logTimestamp: false, env: world.env, stderr: world.stderr }, collectProblems());
  // Who reads JSON reads nothing else.
  if (options.progress === 'json') (await createReporter(options, world.report)).finish({ kind: 'failed', error });
  else tellError(error, world);
}

/** The reporter that the line asks for may be what is wrong with it, so colors and level come from the surroundings. */
function tellError(error: unknown, world: CommandWorld): void {
  const { color, verbosity }: ReportOptions = resolveReport(
    { progress: undefined, logFormat: undefined, verbosity: undefined, logTimestamp: false, env: world.env, stderr: world.stderr },
    collectProblems(),
  );
  world.report.write(`${formatError(error, { color, verbosity, readSource: world.report.readSource })}\n`);
}

/** `reference@digest` for each destination that was pushed to; the digest alone when there is none. */
function resultLines({ output }: BuildOptions, published: readonly Published[]): string {
  const pushed = published.filter(({ where }) => output.push === 'to-destinations' && output.destinations.includes(where));
  const lines =
    pushed.length > 0 ? pushed.map(({ where, digest }) => `${where}@${digest}`) : published.slice(0, 1).map(({ digest }) => digest);
  return lines.map((line) => `${line}\n`).join('');
}
