/** Reads the folders of fixtures/plans and fixtures/plan-errors, and plans what is in them as the build does. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ParsedDockerfile } from '../../../src/dockerfile/instruction.ts';
import { readDockerfile } from '../../../src/dockerfile/parse.ts';
import { TsbuildErrors } from '../../../src/errors.ts';
import type { ImageConfig } from '../../../src/image/image.ts';
import { type Platform, parsePlatform } from '../../../src/image/platform.ts';
import { contextKey } from '../../../src/plan/named-contexts.ts';
import { knownFaults, missingBases } from '../../../src/plan/outline.ts';
import { type BaseConfigs, type BaseRequest, type BuildPlan, baseKey, type NamedContext, type PlanInputs } from '../../../src/plan/plan.ts';
import { planBuild } from '../../../src/plan/plan-build.ts';
import { fixtureNames } from '../../helpers/fixture-folders.ts';

const FIXTURES = fileURLToPath(new URL('../../../fixtures', import.meta.url));

/** args.json of a case; all optional. */
interface Arguments {
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly target?: string;
  readonly platform?: string;
  readonly buildPlatform?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** By name as on the command line. */
  readonly contexts?: Readonly<Record<string, NamedContext>>;
}

/** bases.json: image configs by reference, without the fields that every config has. */
type Bases = Readonly<Record<string, Partial<ImageConfig>>>;

const PLAIN_BASE: Partial<ImageConfig> = {
  config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['sh'] },
};

export interface Case {
  readonly name: string;
  readonly folder: string;
}

export function casesOf(kind: 'plans' | 'plan-errors' | 'checks'): readonly Case[] {
  const root = join(FIXTURES, kind);
  return fixtureNames(kind).map((name) => ({ name, folder: join(root, name) }));
}

/** Throws what parsing and planning throw. */
export function planCase(one: Case): BuildPlan {
  const { parsed, inputs, known } = partsOf(one);
  return planBuild(parsed, inputs, known);
}

interface Parts {
  readonly parsed: ParsedDockerfile;
  readonly inputs: PlanInputs;
  readonly known: BaseConfigs;
}

/** What the planner works on, with the configs of all bases. Throws as `planCase`. */
export function partsOf({ folder }: Case): Parts {
  const options = readJson<Arguments>(join(folder, 'args.json')) ?? {};
  const bases = readJson<Bases>(join(folder, 'bases.json')) ?? {};
  const inputs = inputsOf(options);
  const parsed = readDockerfile(readFileSync(join(folder, 'Dockerfile')), 'Dockerfile');
  const [fault, ...more] = parsed.errors.length === 0 ? [] : knownFaults(parsed, inputs);
  if (fault !== undefined) throw new TsbuildErrors([fault, ...more]);
  const known = new Map<string, ImageConfig>();
  for (;;) {
    const missing = missingBases(parsed, inputs, known);
    if (missing.length === 0) return { parsed, inputs, known };
    for (const request of missing) known.set(baseKey(request), configOf(request, bases));
  }
}

function inputsOf(options: Arguments): PlanInputs {
  const { buildArgs = {}, target, platform = 'linux/amd64', buildPlatform = 'linux/amd64', labels = {}, contexts = {} } = options;
  return {
    target: target ?? null,
    buildArgs: new Map(Object.entries(buildArgs)),
    labels: new Map(Object.entries(labels)),
    platform: parsePlatform(platform),
    buildPlatform: parsePlatform(buildPlatform),
    contexts: new Map(Object.entries(contexts).map(([name, context]) => [contextKey(name), context])),
  };
}

function configOf({ ref, platform }: BaseRequest, bases: Bases): ImageConfig {
  return { ...platformFields(platform), rootfs: { type: 'layers', diff_ids: [] }, ...(bases[ref] ?? PLAIN_BASE) };
}

function platformFields(platform: Platform): Pick<ImageConfig, 'architecture' | 'os'> {
  return { architecture: platform.architecture, os: platform.os };
}

function readJson<T>(file: string): T | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : null;
}
