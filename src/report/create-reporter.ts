/** The reporter that the options ask for. */
import { plainReporter } from './plain.ts';
import { quietReporter } from './quiet.ts';
import type { Reporter, ReportOptions, ReportWorld } from './reporter.ts';
import { ttyReporter } from './tty.ts';

export async function createReporter(options: ReportOptions, world: ReportWorld): Promise<Reporter> {
  switch (options.progress) {
    case 'json':
      // pino is loaded only where it is used: start-up is part of every build.
      return (await import('./json.ts')).jsonReporter(options, world);
    case 'quiet':
      return quietReporter(options, world);
    case 'plain':
      return plainReporter(options, world);
    case 'tty':
      return world.size() === null ? plainReporter(options, world) : ttyReporter(options, world);
  }
}
