/** Suites that a machine may be unable to run, skipped with the reason in their titles; the skipped-reporter repeats it at the end. */
import { describe } from 'vitest';

/** `describe` that is skipped, with the reason in its title, where `reason` is given. */
export function describeUnless(reason: string | undefined, title: string, body: () => void): void {
  describe.skipIf(reason !== undefined)(reason === undefined ? title : `${title} (skipped: ${reason})`, body);
}
