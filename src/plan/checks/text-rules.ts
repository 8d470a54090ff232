/** The rules about how a file is written: casing, names of stages, comments. They look at no value and need no base. */
import type { Instruction, ParsedDockerfile } from '../../dockerfile/instruction.ts';
import { splitFields, splitPairs } from '../../dockerfile/pairs.ts';
import type { Remark } from './rules.ts';

const RESERVED: ReadonlySet<string> = new Set(['context', 'scratch']);

export function textRemarks(parsed: ParsedDockerfile): readonly Remark[] {
  return [...casing(parsed), ...stageNames(parsed), ...parsed.instructions.flatMap((instruction) => ofInstruction(instruction, parsed))];
}

function ofInstruction(instruction: Instruction, parsed: ParsedDockerfile): readonly Remark[] {
  const { keyword, at, blankLines } = instruction;
  const remarks = [...description(instruction, parsed)];
  const [blank] = blankLines;
  if (blank !== undefined) {
    const place = { file: at.file, startLine: blank, endLine: blank };
    remarks.push({ rule: 'NoEmptyContinuation', message: `a blank line does not end ${keyword}: it goes on after it`, at: place });
  }
  if (keyword === 'MAINTAINER') {
    const message = 'MAINTAINER is deprecated: write LABEL org.opencontainers.image.authors="..."';
    remarks.push({ rule: 'MaintainerDeprecated', message, at });
  }
  if (keyword === 'FROM') remarks.push(...fromCasing(instruction));
  return remarks;
}

/** As written. */
function wordOf({ text, keyword }: Instruction): string {
  return text.slice(0, keyword.length);
}

function caseOf(word: string): 'lower' | 'upper' | 'mixed' {
  return word === word.toLowerCase() ? 'lower' : word === word.toUpperCase() ? 'upper' : 'mixed';
}

/** The majority of a file's instructions decides, upper case when there is none. ARGs before the first FROM do not count. */
function casing({ instructions }: ParsedDockerfile): readonly Remark[] {
  const counted = instructions.slice(
    Math.max(
      0,
      instructions.findIndex(({ keyword }) => keyword === 'FROM'),
    ),
  );
  const count = (wanted: 'lower' | 'upper'): number => counted.filter((one) => caseOf(wordOf(one)) === wanted).length;
  const wanted = count('lower') > count('upper') ? 'lower' : 'upper';
  return counted
    .filter((one) => caseOf(wordOf(one)) !== wanted)
    .map((one) => ({
      rule: 'ConsistentInstructionCasing',
      message: `"${wordOf(one)}" is not in ${wanted} case, as most instructions of the file are`,
      at: one.at,
    }));
}

function fromCasing(from: Instruction): readonly Remark[] {
  const { at, args } = from;
  const [, as, name] = splitFields(args);
  if (as === undefined || name === undefined) return [];
  const remarks: Remark[] = [];
  if (caseOf(name) !== 'lower') remarks.push({ rule: 'StageNameCasing', message: `the stage name ${name} is not in lower case`, at });
  const wanted = caseOf(wordOf(from));
  if (wanted !== 'mixed' && caseOf(as) !== wanted) {
    remarks.push({ rule: 'FromAsCasing', message: `"${as}" is not in ${wanted} case, as "${wordOf(from)}" is`, at });
  }
  return remarks;
}

function stageNames({ instructions }: ParsedDockerfile): readonly Remark[] {
  const remarks: Remark[] = [];
  const lines = new Map<string, number>();
  for (const { keyword, args, at } of instructions) {
    const name = keyword === 'FROM' ? splitFields(args)[2]?.toLowerCase() : undefined;
    if (name === undefined) continue;
    if (RESERVED.has(name)) remarks.push({ rule: 'ReservedStageName', message: `the stage name ${name} is reserved`, at });
    const before = lines.get(name);
    if (before !== undefined) {
      const message = `the stage name ${name} is taken by line ${before}: below here it means this stage`;
      remarks.push({ rule: 'DuplicateStageName', message, at });
    }
    lines.set(name, at.startLine);
  }
  return remarks;
}

/** A comment right above FROM or ARG is shown by tools as its description when it begins with the name. */
function description(instruction: Instruction, { source }: ParsedDockerfile): readonly Remark[] {
  const { keyword, args, at } = instruction;
  const names =
    keyword === 'FROM'
      ? splitFields(args)
          .slice(2, 3)
          .map((name) => name.toLowerCase())
      : keyword === 'ARG'
        ? splitPairs('ARG', args, '\\').map(({ name }) => name)
        : [];
  const above = source.lines[at.startLine - 2] ?? '';
  const comment = /^\s*#\s*(.*?)\s*$/.exec(above)?.[1];
  if (names.length === 0 || comment === undefined || /^(?:syntax|escape|check)\s*=/i.test(comment)) return [];
  if (names.includes(comment.split(' ', 1)[0] ?? '')) return [];
  const message = `the comment above does not describe it: begin it with "# ${names.length === 1 ? names[0] : 'NAME'} ", or put a blank line between`;
  return [{ rule: 'InvalidDefinitionDescription', message, at }];
}
