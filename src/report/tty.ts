/**
 * The reporter for terminals. Finished steps scroll up as one line each; below them a few lines are drawn again and again:
 * the running steps with their newest output, and what is being pulled and pushed. A failed step shows its last output.
 */
import type { BuildEvent } from '../build/events.ts';
import { type LastLines, lastLines } from './last-lines.ts';
import { liveRegion } from './live-region.ts';
import { noteLine, outcomeLines } from './outcome-lines.ts';
import type { Reporter, ReportOptions, ReportWorld, Verbosity } from './reporter.ts';
import { shows } from './reporter.ts';
import { endText, planText, progressText, type StepEnd, type StepStart, stepLabel } from './step-text.ts';
import { type TransferTotals, tally } from './tally.ts';
import { commandLine, fitWidth, palette, withoutControls } from './terminal-text.ts';
import { formatSeconds } from './units.ts';

/** How often the lines below are drawn: often enough to look alive, seldom enough to cost nothing. */
const FRAME_MS = 100;

/** Output lines below a running step, when there is room. */
const OUTPUT_LINES = 5;

interface RunningStep {
  readonly start: StepStart;
  readonly began: number;
  readonly output: LastLines;
}

export function ttyReporter(options: ReportOptions, world: ReportWorld): Reporter {
  const paint = palette(options.color);
  const began = world.clock();
  const sums = tally();
  const running = new Map<string, RunningStep>();
  const region = liveRegion(world);
  let dirty = false;

  const columns = (): number => Math.max(20, (world.size()?.columns ?? 80) - 1);
  const say = (level: Verbosity, line: string): void => {
    if (shows(options.verbosity, level)) region.print(line);
  };

  /** `mark title`, cut so that what stands at the end stays visible. */
  const stepLine = (mark: string, step: StepStart, end: string): string => {
    const label = stepLabel(step);
    const title = fitWidth(withoutControls(step.title), columns() - label.length - end.length - 5);
    return `${mark} ${paint.cyan(label)} ${title}  ${paint.dim(end)}`;
  };
  const finishedStep = (step: RunningStep, event: StepEnd): void => {
    const end = event.state === 'done' ? endText(event).replace('done in ', '') : endText(event);
    const mark = { done: paint.green('✓'), cached: paint.green('='), failed: paint.red('✗'), cancelled: paint.yellow('-') }[event.state];
    say(event.state === 'failed' ? 'error' : 'info', stepLine(mark, step.start, end));
    if (event.state === 'failed')
      for (const line of step.output.end()) say('error', `  ${paint.dim('|')} ${commandLine(line, options.color)}`);
  };

  const frame = (): readonly string[] => {
    const rows = Math.max(3, (world.size()?.rows ?? 24) - 1);
    const moving = [transferLine('pulling', sums.totals().pull), transferLine('pushing', sums.totals().push)].filter(
      (line) => line !== null,
    );
    const steps = [...running.values()].slice(0, Math.max(1, rows - moving.length));
    const each = Math.min(OUTPUT_LINES, Math.floor((rows - moving.length - steps.length) / Math.max(1, steps.length)));
    const lines: string[] = [];
    for (const step of steps) {
      lines.push(stepLine(paint.yellow('●'), step.start, formatSeconds(world.clock() - step.began)));
      const newest = each < 1 ? [] : step.output.newest(each);
      for (const line of newest) lines.push(paint.dim(`    ${fitWidth(withoutControls(line).replaceAll('\t', ' '), columns() - 4)}`));
    }
    for (const line of moving) lines.push(fitWidth(line, columns()));
    return lines.slice(0, rows);
  };

  const timer = setInterval(() => {
    if (!dirty && running.size === 0) return;
    dirty = false;
    region.draw(frame());
  }, FRAME_MS);
  timer.unref();

  const report = (event: BuildEvent): void => {
    sums.add(event);
    dirty = true;
    switch (event.type) {
      case 'plan':
        say('info', planText(event));
        return;
      case 'step-start':
        running.set(event.id, { start: event, began: world.clock(), output: lastLines() });
        return;
      case 'step-output':
        running.get(event.id)?.output.push(event.chunk);
        return;
      case 'step-end': {
        const step = running.get(event.id);
        if (step === undefined) return;
        running.delete(event.id);
        finishedStep(step, event);
        region.draw(frame());
        return;
      }
      case 'transfer':
        return;
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
      clearInterval(timer);
      running.clear();
      region.draw([]);
      if (outcome.kind === 'failed') say('error', '');
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
    close() {
      clearInterval(timer);
      region.draw([]);
    },
  };
}

/** Null while nothing moves. */
function transferLine(word: string, totals: TransferTotals): string | null {
  const open = totals.blobs - totals.finished;
  if (open === 0) return null;
  return `  ${word} ${totals.finished} of ${totals.blobs} blobs  ${progressText(totals.bytes, totals.totalBytes)}`;
}
