import { describe, expect, it } from 'vitest';
import { parseDockerfile } from '../../../src/dockerfile/parse.ts';
import { TsbuildErrors } from '../../../src/errors.ts';
import type { ContainerConfig, ImageConfig } from '../../../src/image/image.ts';
import { missingBases } from '../../../src/plan/outline.ts';
import { baseKey, type PlanInputs } from '../../../src/plan/plan.ts';
import { planBuild } from '../../../src/plan/plan-build.ts';

const linux = { os: 'linux', architecture: 'amd64' };
const inputs: PlanInputs = {
  target: null,
  buildArgs: new Map(),
  labels: new Map(),
  platform: linux,
  buildPlatform: linux,
  contexts: new Map(),
};

function image(config: ContainerConfig = {}): ImageConfig {
  return { ...linux, rootfs: { type: 'layers', diff_ids: [] }, config };
}

function parse(text: string) {
  return parseDockerfile(Buffer.from(text), 'Dockerfile');
}

describe('missingBases', () => {
  it('asks once for each image and platform that the target needs, with the place of its FROM', () => {
    const parsed = parse(
      'FROM a AS one\nFROM b AS unused\nFROM a\nFROM --platform=linux/arm64 a AS arm\nFROM scratch\nCOPY --from=0 / /\nCOPY --from=2 / /\nCOPY --from=arm / /\nCOPY --from=c / /\n',
    );
    const requests = missingBases(parsed, inputs, new Map());
    expect(requests.map(baseKey).sort()).toEqual(['a linux/amd64', 'a linux/arm64']);
    expect(requests.find(({ platform }) => platform.architecture === 'arm64')?.at).toMatchObject({ file: 'Dockerfile', startLine: 4 });
  });

  it('never asks for the image of a syntax directive', () => {
    const parsed = parseDockerfile(Buffer.from('# syntax=example.com/frontend:1\nFROM scratch'), 'Dockerfile');
    expect(parsed.directives.syntax).toBe('example.com/frontend:1');
    expect(missingBases(parsed, inputs, new Map())).toEqual([]);
  });

  it('asks again when the triggers of a base need further stages', () => {
    const parsed = parse('FROM b AS assets\nFROM a\n');
    const known = new Map([['a linux/amd64', image({ OnBuild: ['COPY --from=assets /x /x'] })]]);
    expect(missingBases(parsed, inputs, new Map()).map(baseKey)).toEqual(['a linux/amd64']);
    expect(missingBases(parsed, inputs, known).map(baseKey)).toEqual(['b linux/amd64']);
    expect(missingBases(parsed, inputs, known.set('b linux/amd64', image()))).toEqual([]);
  });

  it('asks for nothing when the file is at fault', () => {
    expect(() => missingBases(parse('FROM a\nCOPY --from=9 x y\n'), inputs, new Map())).toThrow(TsbuildErrors);
  });
});

describe('planBuild', () => {
  it('leaves the configs that it was given as they are', () => {
    const base = image({ Env: ['A=1'], Labels: { a: '1' }, OnBuild: ['ENV B=2'] });
    const before = structuredClone(base);
    const plan = planBuild(parse('FROM a\nENV A=2\nLABEL a=2\nONBUILD RUN x\n'), inputs, new Map([['a linux/amd64', base]]));
    expect(base).toEqual(before);
    expect(plan.stages[0]?.config.Env).toContain('B=2');
  });

  it('gives a child stage its own copy of what it inherits', () => {
    const plan = planBuild(parse('FROM scratch AS a\nENV A=1\nFROM a AS b\nENV A=2\nFROM a\nCOPY --from=b / /\n'), inputs, new Map());
    expect(plan.stages.map(({ config }) => config.Env?.at(-1))).toEqual(['A=1', 'A=2', 'A=1']);
  });

  it('reports every fault once, in the order of the lines, each with its place', () => {
    const text = 'FROM scratch AS a\nEXPOSE x\nFROM a\nSTOPSIGNAL x\nRUN --network=x true\nCOPY --from=later a b\nFROM scratch AS later\n';
    try {
      planBuild(parse(text), { ...inputs, target: '1' }, new Map());
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(TsbuildErrors);
      expect(error instanceof TsbuildErrors && error.errors.map(({ at }) => at?.startLine)).toEqual([2, 4, 5, 6]);
    }
  });

  it('is a bug of the caller when a base is not known', () => {
    expect(() => planBuild(parse('FROM a\n'), inputs, new Map())).toThrow('missingBases');
  });
});
