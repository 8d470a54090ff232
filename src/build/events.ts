/** What a build tells while it goes on. The only way from build/ to people; reporters decide what it looks like. */
import type { Transfer } from '../blob/blob.ts';
import type { SourceRange } from '../errors.ts';

/** Unique within a build. */
export type StepId = string;

export type StepState = 'done' | 'cached' | 'failed' | 'cancelled';

export type BuildEvent =
  /** Once, before the first step. `steps` counts the steps of all stages; those of a stage that nothing turns out to need do not come. */
  | { readonly type: 'plan'; readonly stages: number; readonly steps: number }
  /** Once, when the first RUN is to run: where. */
  | { readonly type: 'isolation'; readonly name: string }
  | {
      readonly type: 'step-start';
      readonly id: StepId;
      /** Stage name or index as text. */
      readonly stage: string;
      /** `os/architecture`: where the build is for several platforms. */
      readonly platform?: string;
      /** From 1, within the build's order of steps. */
      readonly number: number;
      readonly total: number;
      readonly title: string;
      readonly at: SourceRange;
    }
  | { readonly type: 'step-output'; readonly id: StepId; readonly chunk: Uint8Array }
  | {
      readonly type: 'step-end';
      readonly id: StepId;
      readonly state: StepState;
      readonly seconds: number;
      readonly layerBytes: number | null;
    }
  | ({ readonly type: 'transfer' } & Transfer)
  /** Something that is mostly quick takes long: what is waited for, "resolving debian:12". */
  | { readonly type: 'waiting'; readonly message: string }
  /** A context that is no folder of this machine has come; `commit`: of a git repository, the whole hash. No credentials. */
  | { readonly type: 'context'; readonly label: string; readonly commit?: string }
  /** `rule`: the build check that it comes from, which can be skipped by that name; `url` explains it. */
  | { readonly type: 'warning'; readonly message: string; readonly at?: SourceRange; readonly rule?: string; readonly url?: string }
  | { readonly type: 'debug'; readonly message: string; readonly fields?: Readonly<Record<string, unknown>> }
  /** Once, when all steps are done: what the image, or the images together, are made of; `new` layers are those that its base does not have. Bytes are compressed. */
  | { readonly type: 'image'; readonly layers: number; readonly bytes: number; readonly newLayers: number; readonly newBytes: number }
  | { readonly type: 'published'; readonly where: string; readonly digest: string };

export type Report = (event: BuildEvent) => void;
