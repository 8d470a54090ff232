/** The reporter that says nothing unless the build fails: then the error, and before it the failed command's last lines. */
import { formatError } from './error-text.ts';
import { type LastLines, lastLines } from './last-lines.ts';
import type { Reporter, ReportOptions, ReportWorld } from './reporter.ts';
import { commandLine, palette } from './terminal-text.ts';

export function quietReporter(options: ReportOptions, world: ReportWorld): Reporter {
  const paint = palette(options.color);
  const outputs = new Map<string, LastLines>();
  return {
    report(event) {
      if (event.type === 'step-start') outputs.set(event.id, lastLines());
      else if (event.type === 'step-output') outputs.get(event.id)?.push(event.chunk);
      else if (event.type === 'step-end') {
        if (event.state === 'failed') {
          for (const line of outputs.get(event.id)?.end() ?? []) world.write(`${paint.dim('|')} ${commandLine(line, options.color)}\n`);
        }
        outputs.delete(event.id);
      }
    },
    finish(outcome) {
      if (outcome.kind !== 'failed') return;
      world.write(`${formatError(outcome.error, { readSource: world.readSource, color: options.color, verbosity: options.verbosity })}\n`);
    },
    close: () => undefined,
  };
}
