/**
 * The reporter for machines: one JSON object per event and line, with stable field names: level, time, event, msg, and the
 * event's own. A command's output is one object per line of it.
 */
import { pino } from 'pino';
import type { BuildEvent } from '../build/events.ts';
import type { SourceRange } from '../errors.ts';
import { describeErrors } from './error-text.ts';
import { type LastLines, lastLines } from './last-lines.ts';
import { type OutputLines, outputLines } from './output-lines.ts';
import { type Reporter, type ReportOptions, type ReportWorld, shows } from './reporter.ts';
import { contextText, endText, imageText, isolationText, planText, type StepStart, stepLabel, transferText } from './step-text.ts';
import { summaryTitle, warmedTitle } from './summary.ts';
import { tally } from './tally.ts';
import { transferClock } from './transfer-clock.ts';

export function jsonReporter(options: ReportOptions, world: ReportWorld): Reporter {
  const log = pino(
    {
      level: options.verbosity,
      base: null,
      timestamp: () => `,"time":"${world.now().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: {},
    },
    { write: (line: string) => world.write(line) },
  );
  const began = world.clock();
  const sums = tally();
  const transfers = transferClock(() => world.clock());
  const running = new Map<string, { readonly start: StepStart; readonly output: OutputLines; readonly last: LastLines }>();
  const output = (id: string, lines: readonly string[]): void => {
    for (const text of lines) log.info({ event: 'step-output', id }, text);
  };

  const report = (event: BuildEvent): void => {
    sums.add(event);
    switch (event.type) {
      case 'plan':
        log.info({ event: 'plan', stages: event.stages, steps: event.steps }, planText(event));
        return;
      case 'isolation':
        log.info({ event: 'isolation', isolation: event.name }, isolationText(event));
        return;
      case 'step-start': {
        running.set(event.id, { start: event, output: outputLines(), last: lastLines() });
        const { id, stage, number, total, title } = event;
        const platform = event.platform === undefined ? {} : { platform: event.platform };
        const fields = { event: 'step-start', id, stage, ...platform, number, total, instruction: title, ...place(event.at) };
        log.info(fields, `${stepLabel(event)} ${title}`);
        return;
      }
      case 'step-output': {
        const step = running.get(event.id);
        if (step === undefined) return;
        if (shows(options.verbosity, 'info')) output(event.id, step.output.push(event.chunk));
        else step.last.push(event.chunk);
        return;
      }
      case 'step-end': {
        const step = running.get(event.id);
        if (step === undefined) return;
        running.delete(event.id);
        output(event.id, step.output.end());
        if (event.state === 'failed') for (const text of step.last.end()) log.error({ event: 'step-output', id: event.id }, text);
        const { id, state, layerBytes } = event;
        const seconds = milliseconds(event.seconds);
        log.info({ event: 'step-end', id, state, seconds, layerBytes }, `${stepLabel(step.start)} ${endText(event)}`);
        return;
      }
      case 'transfer': {
        const { id, direction, label, bytes, totalBytes, state } = event;
        const level = state === 'running' ? 'trace' : state === 'done' ? 'info' : 'debug';
        const seconds = transfers.seconds(event);
        log[level]({ event: 'transfer', id, direction, label, bytes, totalBytes, state }, transferText(event, seconds));
        return;
      }
      case 'warning':
        log.warn({ event: 'warning', ...ruleOf(event), ...(event.at === undefined ? {} : place(event.at)) }, event.message);
        return;
      case 'waiting':
        log.info({ event: 'waiting' }, event.message);
        return;
      case 'context': {
        const { label, commit } = event;
        log.info({ event: 'context', label, ...(commit === undefined ? {} : { commit }) }, contextText(event));
        return;
      }
      case 'debug':
        log.debug({ event: 'debug', ...(event.fields === undefined ? {} : { fields: event.fields }) }, event.message);
        return;
      case 'image': {
        const { layers, bytes, newLayers, newBytes } = event;
        log.debug({ event: 'image', layers, bytes, newLayers, newBytes }, imageText(event));
        return;
      }
      case 'published':
        log.info({ event: 'published', where: event.where, digest: event.digest }, `published ${event.where}`);
        return;
    }
  };

  return {
    report,
    finish(outcome) {
      const seconds = milliseconds(world.clock() - began);
      for (const [id, step] of running) output(id, step.output.end());
      if (outcome.kind === 'cancelled') {
        log.error({ event: 'cancelled', seconds }, 'cancelled');
        return;
      }
      if (outcome.kind === 'failed') {
        for (const { message, code, hint, at, causes, stack } of describeErrors(outcome.error, options.verbosity)) {
          log.error({ event: 'failed', code, seconds, ...(at === undefined ? {} : place(at)), causes, hint, stack }, message);
        }
        return;
      }
      const { pull, push, warnings, published: _, ...made } = sums.totals();
      if (outcome.kind === 'warmed') {
        log.info({ event: 'warmed', seconds, images: outcome.images, warnings, pull }, warmedTitle(outcome.images, seconds));
        return;
      }
      log.info({ event: 'built', seconds, ...made, warnings, pull, push }, summaryTitle(seconds));
    },
    close: () => undefined,
  };
}

function ruleOf({ rule, url }: Extract<BuildEvent, { type: 'warning' }>): { readonly rule?: string; readonly url?: string } {
  return { ...(rule === undefined ? {} : { rule }), ...(url === undefined ? {} : { url }) };
}

function place(at: SourceRange): { readonly file: string; readonly line: number; readonly endLine: number } {
  return { file: at.file, line: at.startLine, endLine: at.endLine };
}

/** Seconds without the noise of floating point. */
function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
