/**
 * The reporter for logs: lines only ever added, no cursor, no carriage return. A command's output is shown whole, each
 * line with the number of its step, so that stages that run side by side can be told apart.
 */
import type { BuildEvent } from '../build/events.ts';
import { type LastLines, lastLines } from './last-lines.ts';
import { noteLine, outcomeLines } from './outcome-lines.ts';
import { type OutputLines, outputLines } from './output-lines.ts';
import type { Reporter, ReportOptions, ReportWorld, Verbosity } from './reporter.ts';
import { shows } from './reporter.ts';
import { endText, isSilentEnd, planText, type StepStart, stepLabel, transferText } from './step-text.ts';
import { tally } from './tally.ts';
import { commandLine, palette, withoutControls } from './terminal-text.ts';
import { transferClock } from './transfer-clock.ts';

/** A blob that moves faster than this is told at debug only: the summary has the sum. */
const SHORT_TRANSFER_BYTES = 1_000_000;

interface RunningStep {
  readonly start: StepStart;
  readonly output: OutputLines;
  /** For a failure, where the verbosity hides output. */
  readonly last: LastLines;
  said: 'nothing' | 'output';
}

export function plainReporter(options: ReportOptions, world: ReportWorld): Reporter {
  const paint = palette(options.color);
  const began = world.clock();
  const sums = tally();
  const transfers = transferClock(() => world.clock());
  const running = new Map<string, RunningStep>();

  const say = (level: Verbosity, line: string): void => {
    if (!shows(options.verbosity, level)) return;
    const time = options.timestamps === 'timestamps' ? paint.dim(`${world.now().toISOString()} `) : '';
    world.write(`${time}${line}\n`);
  };
  const sayOutput = (step: RunningStep, lines: readonly string[]): void => {
    const prefix = paint.dim(`${String(step.start.number).padStart(String(step.start.total).length + 2)} |`);
    for (const line of lines) {
      step.said = 'output';
      say('info', line === '' ? prefix : `${prefix} ${commandLine(line, options.color)}`);
    }
  };

  const report = (event: BuildEvent): void => {
    sums.add(event);
    switch (event.type) {
      case 'plan':
        say('info', planText(event));
        return;
      case 'step-start': {
        running.set(event.id, { start: event, output: outputLines(), last: lastLines(), said: 'nothing' });
        say('info', `${paint.cyan(stepLabel(event))} ${withoutControls(event.title)}`);
        return;
      }
      case 'step-output': {
        const step = running.get(event.id);
        if (step === undefined) return;
        if (shows(options.verbosity, 'info')) sayOutput(step, step.output.push(event.chunk));
        else step.last.push(event.chunk);
        return;
      }
      case 'step-end': {
        const step = running.get(event.id);
        if (step === undefined) return;
        running.delete(event.id);
        sayOutput(step, step.output.end());
        if (event.state === 'failed')
          for (const line of step.last.end()) say('error', `${paint.dim('|')} ${commandLine(line, options.color)}`);
        if (step.said === 'nothing' && isSilentEnd(event)) return;
        const text = endText(event);
        say('info', `${paint.cyan(stepLabel(step.start))} ${event.state === 'failed' ? paint.red(text) : text}`);
        return;
      }
      case 'transfer': {
        const seconds = transfers.seconds(event);
        const long = event.state === 'done' && event.bytes >= SHORT_TRANSFER_BYTES;
        say(event.state === 'running' ? 'trace' : long ? 'info' : 'debug', transferText(event, seconds));
        return;
      }
      case 'isolation':
      case 'warning':
      case 'waiting':
      case 'context':
      case 'debug':
      case 'image':
      case 'published': {
        const { level, line } = noteLine(event, paint);
        say(level, line);
        return;
      }
    }
  };

  return {
    report,
    finish(outcome) {
      for (const step of running.values()) sayOutput(step, step.output.end());
      const seconds = world.clock() - began;
      for (const { level, line } of outcomeLines(outcome, {
        options,
        paint,
        readSource: world.readSource,
        totals: sums.totals(),
        seconds,
      })) {
        say(level, line);
      }
    },
    close: () => undefined,
  };
}
