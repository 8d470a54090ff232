import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostsFile, resolvConf } from '../../../../src/backend/command/network-files.ts';

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'tsbuild-network-'));
});
afterAll(() => rmSync(home, { recursive: true }));

const file = (name: string, text: string): string => {
  writeFileSync(join(home, name), text);
  return join(home, name);
};

describe('resolv.conf', () => {
  test('is that of the machine', () => {
    const text = '# comment\nsearch example.org\nnameserver 10.0.0.1\n';
    expect(resolvConf(file('plain', text), file('behind', 'nameserver 9.9.9.9\n'))).toBe(text);
  });

  test('names the servers behind the stub of systemd', () => {
    const stub = file('stub', 'nameserver 127.0.0.53\noptions edns0\n');
    expect(resolvConf(stub, file('behind', 'nameserver 10.0.0.2\n'))).toBe('nameserver 10.0.0.2\n');
    expect(resolvConf(stub, join(home, 'missing'))).toBe('nameserver 127.0.0.53\noptions edns0\n');
  });

  test('keeps other servers on the loopback, which the network of the machine reaches', () => {
    const text = 'nameserver 127.0.0.1\nnameserver ::1\n';
    expect(resolvConf(file('local', text), file('behind', 'nameserver 10.0.0.2\n'))).toBe(text);
  });

  test('is empty where the machine has none', () => {
    expect(resolvConf(join(home, 'missing'), join(home, 'missing'))).toBe('');
  });
});

describe('hosts', () => {
  test('hold localhost and the own name, then what the machine knows of other addresses', () => {
    const etc = file(
      'hosts',
      '# here\n127.0.0.1 localhost\n127.0.1.1\tmymachine\n::1 localhost ip6-localhost\n\n10.1.2.3 registry.local registry # ours\n',
    );
    expect(hostsFile('sandbox', etc)).toBe(
      '127.0.0.1\tlocalhost sandbox\n::1\tlocalhost ip6-localhost ip6-loopback\n10.1.2.3 registry.local registry # ours\n',
    );
  });

  test('need no file of the machine', () => {
    expect(hostsFile('sandbox', join(home, 'missing'))).toBe('127.0.0.1\tlocalhost sandbox\n::1\tlocalhost ip6-localhost ip6-loopback\n');
  });
});
