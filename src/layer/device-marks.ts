/**
 * Device nodes where nobody may make them: an ordinary user's overlay holds an empty file in their place, with an attribute
 * that says which device it stands for. The kernel copies the attribute up with the file, and `mv` and `ln` keep it. It is
 * signed with a key of this machine's cache, so that no command, whatever its user, can make one up. Who can read the file can
 * copy its mark, though, and so have the same device again.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ByteString } from '../bytes/byte-path.ts';

/** Never in a layer, and never taken from one. */
export const DEVICE_MARK: ByteString = 'user.tsbuild.device';

export interface DeviceNode {
  readonly type: 'char' | 'block';
  readonly major: number;
  readonly minor: number;
}

export interface DeviceMarks {
  /** The value of DEVICE_MARK. */
  write(node: DeviceNode): Uint8Array;
  /** undefined: it was not written with this key. */
  read(value: Uint8Array | undefined): DeviceNode | undefined;
}

export function deviceMarks(key: Uint8Array): DeviceMarks {
  const write = ({ type, major, minor }: DeviceNode): Buffer => {
    const text = `${type}:${major}:${minor}`;
    return Buffer.from(`${text}:${createHmac('sha256', key).update(text).digest('hex')}`);
  };
  return {
    write,
    read(value) {
      const [, type, major, minor] = /^(char|block):(\d{1,4}):(\d{1,7}):/.exec(Buffer.from(value ?? []).toString('latin1')) ?? [];
      if (value === undefined || type === undefined) return undefined;
      const node: DeviceNode = { type: type === 'char' ? 'char' : 'block', major: Number(major), minor: Number(minor) };
      const expected = write(node);
      return expected.length === value.length && timingSafeEqual(expected, value) ? node : undefined;
    },
  };
}
