/**
 * The ARGs before the first FROM: what FROM lines see, and what a stage imports by `ARG NAME`. The platform ARGs are
 * among them without being declared. Reference: BuildKit dockerfile2llb, defaultArgs and buildMetaArgs.
 */
import { expandWord } from '../dockerfile/expand.ts';
import type { Instruction, Scope } from '../dockerfile/instruction.ts';
import { splitPairs } from '../dockerfile/pairs.ts';
import { formatPlatform } from '../image/platform.ts';
import type { Faults } from './faults.ts';
import type { PlanInputs } from './plan.ts';

/** Variables that RUN sees when given as build arguments, without ARG. Compared in lower case. */
const PROXY_NAMES = ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy', 'all_proxy'];

/** `lastStage`: the name of the file's last stage, for TARGETSTAGE when no target is asked for. */
function platformArgs(inputs: PlanInputs, lastStage: string | null): Map<string, string> {
  const { platform: target, buildPlatform: build } = inputs;
  const args = new Map([
    ['BUILDPLATFORM', formatPlatform(build)],
    ['BUILDOS', build.os],
    ['BUILDOSVERSION', ''],
    ['BUILDARCH', build.architecture],
    ['BUILDVARIANT', build.variant ?? ''],
    ['TARGETPLATFORM', formatPlatform(target)],
    ['TARGETOS', target.os],
    ['TARGETOSVERSION', ''],
    ['TARGETARCH', target.architecture],
    ['TARGETVARIANT', target.variant ?? ''],
    ['TARGETSTAGE', inputs.target === null ? (lastStage ?? 'default') : /^\d/.test(inputs.target) ? 'default' : inputs.target],
  ]);
  for (const name of args.keys()) {
    const given = inputs.buildArgs.get(name);
    if (given !== undefined) args.set(name, given);
  }
  return args;
}

export interface GlobalArgs {
  readonly values: ReadonlyMap<string, string>;
  /** Names that the file declares before the first FROM. */
  readonly declared: ReadonlySet<string>;
}

export function globalArgs(
  instructions: readonly Instruction[],
  escapeChar: Scope['escape'],
  request: { readonly inputs: PlanInputs; readonly lastStage: string | null; readonly faults: Faults },
): GlobalArgs {
  const values = platformArgs(request.inputs, request.lastStage);
  const declared = new Set<string>();
  const scope: Scope = { escape: escapeChar, lookup: (name) => values.get(name) };
  for (const { at, args } of instructions) {
    request.faults.collect(at, () => {
      for (const { name, value } of splitPairs('ARG', args, escapeChar)) {
        declared.add(name);
        const given = request.inputs.buildArgs.get(name);
        const next = given ?? (value === null ? undefined : expandWord(value, scope));
        if (next !== undefined) values.set(name, next);
      }
    });
  }
  return { values, declared };
}

/** `NAME=value` in both cases for every proxy build argument, without the names in `taken`. */
export function proxyEnv(buildArgs: ReadonlyMap<string, string>, taken: ReadonlySet<string>): readonly string[] {
  const env: string[] = [];
  for (const proxy of PROXY_NAMES) {
    const given = [...buildArgs]
      .filter(([name, value]) => name.toLowerCase() === proxy && value !== '')
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const value = given.at(-1)?.[1];
    if (value === undefined) continue;
    for (const name of [proxy.toUpperCase(), proxy]) if (!taken.has(name)) env.push(`${name}=${value}`);
  }
  return env;
}

/** Build arguments that mean something without being declared: no warning for them. */
export function isPredefinedArg(name: string): boolean {
  return (
    PROXY_NAMES.includes(name.toLowerCase()) ||
    /^(BUILD|TARGET)(PLATFORM|OS|OSVERSION|ARCH|VARIANT)$|^TARGETSTAGE$|^SOURCE_DATE_EPOCH$|^BUILDKIT_|^(GIT_AUTH|HTTP_AUTH)_/.test(name)
  );
}
