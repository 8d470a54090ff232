import { describe, expect, it } from 'vitest';
import { TsbuildError } from '../../../src/errors.ts';
import {
  formatPlatform,
  hostPlatform,
  normalizePlatform,
  type Platform,
  parsePlatform,
  pickPlatform,
} from '../../../src/image/platform.ts';

const AMD64: Platform = { os: 'linux', architecture: 'amd64' };

function platforms(...texts: readonly string[]): readonly { readonly platform: Platform }[] {
  return texts.map((text) => {
    const [os = '', architecture = '', variant] = text.split('/');
    return { platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } };
  });
}

describe('parsePlatform', () => {
  it.each([
    ['linux/amd64', 'linux/amd64'],
    ['Linux/X86_64', 'linux/amd64'],
    ['linux/x86-64', 'linux/amd64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm64/8', 'linux/arm64'],
    ['linux/arm64/v9', 'linux/arm64/v9'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/7', 'linux/arm/v7'],
    ['linux/arm/v6', 'linux/arm/v6'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/i386', 'linux/386'],
    ['macos/arm64', 'darwin/arm64'],
    ['windows/amd64', 'windows/amd64'],
    ['arm64', 'linux/arm64'],
    ['x86_64', 'linux/amd64'],
    ['s390x', 'linux/s390x'],
    ['linux/unheard-of', 'linux/unheard-of'],
  ])('reads %s as %s', (text, normal) => {
    expect(formatPlatform(parsePlatform(text))).toBe(normal);
  });

  it('takes the architecture of the host for an operating system alone', () => {
    expect(parsePlatform('linux', { os: 'linux', architecture: 'arm', variant: 'v7' })).toEqual({
      os: 'linux',
      architecture: 'arm',
      variant: 'v7',
    });
  });

  it.each([
    ['', 'empty'],
    ['linux', 'architecture is missing'],
    ['toaster', 'unknown'],
    ['a/b/c/d', 'more than three'],
    ['linux/', 'may only hold'],
    ['linux/am*64', 'may only hold'],
    ['windows(10.0)/amd64', 'may only hold'],
  ])('refuses "%s"', (text, why) => {
    expect(() => parsePlatform(text)).toThrow(why);
    expect(() => parsePlatform(text)).toThrow(TsbuildError);
  });
});

describe('normalizePlatform', () => {
  it('gives one spelling, without a variant where there is none', () => {
    expect(normalizePlatform({ os: 'linux', architecture: 'arm64', variant: 'v8' })).toStrictEqual({ os: 'linux', architecture: 'arm64' });
    expect(normalizePlatform({ os: 'linux', architecture: 'amd64', variant: '' })).toStrictEqual(AMD64);
  });
});

describe('hostPlatform', () => {
  it('maps what Node calls a machine', () => {
    expect(['x64', 'arm64', 'arm', 'ia32', 'ppc64', 's390x', 'riscv64'].map((arch) => formatPlatform(hostPlatform(arch)))).toEqual([
      'linux/amd64',
      'linux/arm64',
      'linux/arm/v7',
      'linux/386',
      'linux/ppc64le',
      'linux/s390x',
      'linux/riscv64',
    ]);
  });

  it('refuses a machine that has no images', () => {
    expect(() => hostPlatform('pdp11')).toThrow('pdp11');
  });
});

describe('pickPlatform', () => {
  it.each([
    ['linux/amd64', ['linux/arm64', 'linux/amd64'], 'linux/amd64'],
    ['linux/amd64', ['linux/386'], 'linux/386'],
    ['linux/amd64', ['linux/386', 'linux/amd64'], 'linux/amd64'],
    ['linux/amd64', ['linux/amd64/v3'], null],
    ['linux/amd64/v3', ['linux/386', 'linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4'], 'linux/amd64/v2'],
    ['linux/amd64/v3', ['linux/386', 'linux/amd64', 'linux/amd64/v4'], 'linux/amd64'],
    ['linux/arm64', ['linux/arm/v7', 'linux/arm64/v8'], 'linux/arm64/v8'],
    ['linux/arm64', ['linux/arm/v5', 'linux/arm/v7', 'linux/arm/v6'], 'linux/arm/v7'],
    ['linux/arm64/v9', ['linux/arm/v8', 'linux/arm64'], 'linux/arm64'],
    ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm64'], 'linux/arm/v6'],
    ['linux/arm/v6', ['linux/arm/v7', 'linux/arm/v5'], 'linux/arm/v5'],
    ['linux/arm/v5', ['linux/arm/v7', 'linux/arm/v6'], null],
    ['linux/arm', ['linux/arm/v6', 'linux/arm'], 'linux/arm'],
    ['linux/s390x', ['linux/amd64'], null],
    ['linux/amd64', ['windows/amd64'], null],
  ])('for %s among %j is %s', (want, offered, best) => {
    const candidates = platforms(...offered);
    const position = pickPlatform(candidates, parsePlatform(want));
    expect(position === null ? null : offered[position]).toBe(best);
  });

  it('leaves out attestations and entries without a platform', () => {
    expect(pickPlatform([{}, ...platforms('unknown/unknown', 'linux/x86_64')], AMD64)).toBe(2);
    expect(pickPlatform([{}, ...platforms('unknown/unknown')], AMD64)).toBeNull();
  });

  it('takes the first of equals', () => {
    expect(pickPlatform(platforms('linux/arm64', 'linux/amd64', 'linux/amd64'), AMD64)).toBe(1);
  });
});
