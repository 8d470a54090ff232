/** /etc/resolv.conf and /etc/hosts as a RUN sees them: bound over the image's own, which stay as they are. */
import { existsSync, readFileSync } from 'node:fs';

const STUB_RESOLVER = '127.0.0.53';
const BEHIND_THE_STUB = '/run/systemd/resolve/resolv.conf';

/**
 * This machine's resolv.conf; where that names only systemd's stub, the servers behind the stub. Other servers on the
 * loopback are kept: the RUN uses this machine's network, where they answer.
 */
export function resolvConf(etc = '/etc/resolv.conf', behindTheStub = BEHIND_THE_STUB): string {
  const text = existsSync(etc) ? readFileSync(etc, 'utf8') : '';
  const servers = [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].map((match) => match[1]);
  const onlyStub = servers.length > 0 && servers.every((server) => server === STUB_RESOLVER);
  return onlyStub && existsSync(behindTheStub) ? readFileSync(behindTheStub, 'utf8') : text;
}

/** localhost, the sandbox's own name, and what this machine's hosts file says about other addresses. */
export function hostsFile(hostname: string, etc = '/etc/hosts'): string {
  const others = (existsSync(etc) ? readFileSync(etc, 'utf8') : '').split('\n').filter((line) => {
    const [address = ''] = line.trim().split(/\s+/);
    return address !== '' && !address.startsWith('#') && !address.startsWith('127.') && address !== '::1';
  });
  return [`127.0.0.1\tlocalhost ${hostname}`, '::1\tlocalhost ip6-localhost ip6-loopback', ...others, ''].join('\n');
}
