/** Reports a step's start, output and end, and gives its error the step's place in the Dockerfile. */
import { locate, TsbuildError } from '../errors.ts';
import type { Stage, Step } from '../plan/plan.ts';
import type { Report, StepState } from './events.ts';

export interface StepTold {
  readonly stage: Stage;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Where the steps of this stage begin in the build's numbering, and how many the build has. */
  readonly numbering: { readonly first: number; readonly total: number };
  /** Begins the ids of its steps. */
  readonly id: string;
  /** For people; null where the build is for one platform only. */
  readonly platform: string | null;
}

export interface Telling {
  output(chunk: Uint8Array): void;
  end(state: Exclude<StepState, 'failed' | 'cancelled'>, layerBytes: number | null): void;
  /** Returns the error with its place. Only the first end counts. */
  failed(error: unknown): unknown;
}

export function tellStep(step: Step, position: number, told: StepTold): Telling {
  const { stage, report, signal, numbering } = told;
  const id = `${told.id}.${position}`;
  const began = performance.now();
  let ended = false;
  const end = (state: StepState, layerBytes: number | null): void => {
    if (ended) return;
    ended = true;
    report({ type: 'step-end', id, state, seconds: (performance.now() - began) / 1000, layerBytes });
  };
  report({
    type: 'step-start',
    id,
    stage: stage.name ?? String(stage.index),
    ...(told.platform === null ? {} : { platform: told.platform }),
    number: numbering.first + position,
    total: numbering.total,
    title: step.title,
    at: step.at,
  });
  return {
    output: (chunk) => report({ type: 'step-output', id, chunk }),
    end,
    failed(error) {
      // What took the build down comes by as the reason of the abort, wherever it happened.
      const ownFault = error instanceof TsbuildError && error !== signal.reason;
      end(signal.aborted && !ownFault ? 'cancelled' : 'failed', null);
      return locate(error, step.at);
    },
  };
}
