/** Registries that do not answer: after some seconds the user learns what is waited for. Limits no time itself. */
import type { ImageSource } from '../base-image/image-source.ts';
import type { Report } from '../build/events.ts';
import { formatReference, parseReference, withDefaultTag } from '../image/reference.ts';
import type { ImageSink } from '../output/image-sink.ts';

/** Milliseconds of silence that nobody wonders about. */
const QUIET_MS = 3000;

export interface Waiting {
  readonly report: Report;
  /** Milliseconds; for tests. */
  readonly afterMs?: number;
}

/** `images` that says which image it resolves when that takes long. */
export function tellResolving(images: ImageSource, waiting: Waiting): ImageSource {
  return {
    resolve: (ref, platform, signal) =>
      during(`resolving ${formatReference(withDefaultTag(parseReference(ref)))}`, () => images.resolve(ref, platform, signal), waiting),
  };
}

/** `sink`, a registry's, that says what it checks when that takes long. */
export function tellChecking(sink: ImageSink, waiting: Waiting): ImageSink {
  return { ...sink, check: (signal) => during(`checking that ${sink.label} may be pushed to`, () => sink.check(signal), waiting) };
}

async function during<T>(message: string, work: () => Promise<T>, { report, afterMs = QUIET_MS }: Waiting): Promise<T> {
  const timer = setTimeout(() => report({ type: 'waiting', message }), afterMs);
  timer.unref();
  try {
    return await work();
  } finally {
    clearTimeout(timer);
  }
}
