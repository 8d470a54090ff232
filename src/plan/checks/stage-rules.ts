/**
 * The rules about the instructions of one stage, top to bottom, of those stages that are built. Values are expanded as
 * the planner expands them. Reference: BuildKit dockerfile2llb (dispatch).
 */
import { bytesOf, cleanPath } from '../../bytes/byte-path.ts';
import { expandWord, expandWords } from '../../dockerfile/expand.ts';
import { copyWords } from '../../dockerfile/heredoc.ts';
import type { Instruction, Scope } from '../../dockerfile/instruction.ts';
import { readArgumentForm } from '../../dockerfile/json-form.ts';
import { isLegacyPair, splitFields, splitPairs } from '../../dockerfile/pairs.ts';
import type { SourceRange } from '../../errors.ts';
import { sourceKind } from '../sources.ts';
import type { Remark } from './rules.ts';

const SECRET = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
const NO_SECRET = /(?:_|^)(?:public|file|version)(?:_|$)/i;
const ONLY_LAST = ['CMD', 'ENTRYPOINT', 'HEALTHCHECK'];

/** What a stage hands on to those built on it. */
export interface Inherited {
  readonly workdir: 'set' | 'unset';
}

export interface Look {
  /** The variables before the instruction. */
  readonly scope: Scope;
  /** Which shell the shell form runs in: one that the file or its base chose is meant. */
  readonly shell: 'default' | 'chosen' | 'unknown';
  /** True for a path of the context that its ignore file leaves out whole; null when there is no saying. */
  readonly ignores: ((path: string) => boolean) | null;
}

export interface StageRules {
  /** Throws what expansion throws. */
  look(instruction: Instruction, look: Look): readonly Remark[];
  inherited(): Inherited;
}

export function stageRules(from: Inherited): StageRules {
  const last = new Map<string, SourceRange>();
  let { workdir } = from;
  return {
    inherited: () => ({ workdir }),
    look(instruction, look) {
      const { keyword, at } = instruction;
      const remarks: Remark[] = [];
      const before = ONLY_LAST.includes(keyword) ? last.get(keyword) : undefined;
      if (before !== undefined) {
        const message = `${keyword} has no effect: line ${at.startLine} replaces it`;
        remarks.push({ rule: 'MultipleInstructionsDisallowed', message, at: before });
      }
      last.set(keyword, at);
      const first = keyword === 'WORKDIR' && workdir === 'unset';
      if (keyword === 'WORKDIR') workdir = 'set';
      return [...remarks, ...ofInstruction(instruction, look, first ? 'first' : 'later')];
    },
  };
}

function ofInstruction(instruction: Instruction, look: Look, workdir: 'first' | 'later'): readonly Remark[] {
  switch (instruction.keyword) {
    case 'CMD':
    case 'ENTRYPOINT':
      return shellForm(instruction, instruction.keyword, look);
    case 'ENV':
    case 'ARG':
    case 'LABEL':
      return ofPairs(instruction, instruction.keyword, look);
    case 'EXPOSE':
      return ofPorts(instruction, look);
    case 'WORKDIR': {
      const path = workdir === 'first' ? expandWord(instruction.args, look.scope) : '/';
      if (path.startsWith('/')) return [];
      const message = `WORKDIR ${path} begins where the base image says: write an absolute path first`;
      return [{ rule: 'WorkdirRelativePath', message, at: instruction.at }];
    }
    case 'COPY':
    case 'ADD':
      return ignoredSources(instruction, look);
    default:
      return [];
  }
}

/** Where the parser has warned of the same line, its words are used: they say more. */
function shellForm({ json, args, at }: Instruction, keyword: 'CMD' | 'ENTRYPOINT', { shell }: Look): readonly Remark[] {
  if (json !== null || shell !== 'default') return [];
  const form = readArgumentForm(args);
  const message =
    args === ''
      ? `${keyword} without a command runs the shell with an empty script`
      : form.kind === 'shell' && form.suspect
        ? `this looks like JSON and is none, so ${keyword} reads it as plain text`
        : `${keyword} runs in a shell, which does not pass signals on: write ${keyword} ["program", "argument"]`;
  return [{ rule: 'JSONArgsRecommended', message, at }];
}

function ofPairs({ args, at }: Instruction, keyword: 'ENV' | 'ARG' | 'LABEL', { scope }: Look): readonly Remark[] {
  const remarks: Remark[] = [];
  const pairs = splitPairs(keyword, args, scope.escape);
  if (keyword !== 'ARG' && isLegacyPair(args, scope.escape)) {
    const name = pairs[0]?.name ?? 'NAME';
    remarks.push({ rule: 'LegacyKeyValueFormat', message: `${keyword} ${name} VALUE is an old form: write ${keyword} ${name}=VALUE`, at });
  }
  if (keyword === 'LABEL') return remarks;
  for (const { name } of pairs) {
    if (!SECRET.test(name) || NO_SECRET.test(name)) continue;
    const where = keyword === 'ENV' ? 'the image shows its value to everybody' : "the image's history shows its value to everybody";
    const message = `${keyword} ${name} seems to be a secret, and ${where}: use RUN --mount=type=secret`;
    remarks.push({ rule: 'SecretsUsedInArgOrEnv', message, at });
  }
  return remarks;
}

function ofPorts({ args, at }: Instruction, { scope }: Look): readonly Remark[] {
  const remarks: Remark[] = [];
  for (const port of splitFields(args).flatMap((word) => expandWords(word, scope))) {
    const [, proto = ''] = /\/([^/]*)$/.exec(port) ?? [];
    const container = port.slice(port.lastIndexOf(':') + 1);
    if (proto !== proto.toLowerCase()) {
      remarks.push({ rule: 'ExposeProtoCasing', message: `the protocol of EXPOSE ${port} is not in lower case`, at });
    }
    if (container !== port) {
      const message = `EXPOSE ${port} cannot choose an address or port of the host, and means ${container}`;
      remarks.push({ rule: 'ExposeInvalidFormat', message, at });
    }
  }
  return remarks;
}

function ignoredSources(instruction: Instruction, { scope, ignores }: Look): readonly Remark[] {
  const { keyword, at, flags } = instruction;
  if (ignores === null || flags.some(({ name }) => name === 'from')) return [];
  return copyWords(instruction)
    .slice(0, -1)
    .flatMap((word): readonly Remark[] => {
      const path = word.kind === 'heredoc' ? '' : expandWord(word.text, scope);
      if (sourceKind(path) !== 'path' || !ignores(cleanPath(bytesOf(path)))) return [];
      return [{ rule: 'CopyIgnoredFile', message: `${keyword} takes ${path}, which the ignore file leaves out`, at }];
    });
}
