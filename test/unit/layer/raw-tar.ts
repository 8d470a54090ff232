/** Tar members written byte by byte, so that tests can say things that no tar writer would. */

export interface RawMember {
  readonly name: string;
  /** Type flag; '0' is a file. */
  readonly flag?: string;
  readonly target?: string;
  readonly content?: string | Buffer;
  /** Field text instead of the correct one. */
  readonly size?: string | Buffer;
  readonly mode?: string;
  readonly uid?: string | Buffer;
  readonly mtime?: string | Buffer;
  readonly major?: string;
  readonly minor?: string;
  readonly magic?: string;
  readonly checksum?: string;
  readonly prefix?: string;
  /** Written over the finished block before the checksum. */
  readonly patch?: (block: Buffer) => void;
}

function bytesOf(content: string | Buffer): Buffer {
  return typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
}

export function rawHeader(member: RawMember): Buffer {
  const block = Buffer.alloc(512);
  const content = bytesOf(member.content ?? '');
  const put = (value: string | Buffer, at: number): number =>
    typeof value === 'string' ? block.write(value, at, 'latin1') : value.copy(block, at);
  put(member.name, 0);
  put(member.mode ?? '0000644\0', 100);
  put(member.uid ?? '0000000\0', 108);
  put('0000000\0', 116);
  put(member.size ?? `${content.length.toString(8).padStart(11, '0')}\0`, 124);
  put(member.mtime ?? '14717452000\0', 136);
  put(member.flag ?? '0', 156);
  put(member.target ?? '', 157);
  put(member.magic ?? 'ustar\x0000', 257);
  put(member.major ?? '0000000\0', 329);
  put(member.minor ?? '0000000\0', 337);
  put(member.prefix ?? '', 345);
  member.patch?.(block);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(member.checksum ?? `${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

export function rawMember(member: RawMember): Buffer {
  const content = bytesOf(member.content ?? '');
  return Buffer.concat([rawHeader(member), content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

/** With the two zero blocks at the end. */
export function rawTar(...members: readonly (RawMember | Buffer)[]): Buffer {
  return Buffer.concat([...members.map((member) => (Buffer.isBuffer(member) ? member : rawMember(member))), Buffer.alloc(1024)]);
}

/** A PAX header for the member that follows; `flag` 'g' for all that follow. */
export function rawPax(records: readonly (readonly [string, string | Buffer])[], flag = 'x'): Buffer {
  const parts = records.map(([key, value]) => {
    const body = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), bytesOf(value), Buffer.from('\n')]);
    let length = body.length + 1;
    while (String(length).length + body.length !== length) length++;
    return Buffer.concat([Buffer.from(String(length)), body]);
  });
  return rawMember({ name: 'PaxHeaders.0/x', flag, content: Buffer.concat(parts) });
}

/** A size or time in base-256, 12 bytes. */
export function base256(value: bigint, length = 12): Buffer {
  const bytes = Buffer.alloc(length);
  let rest = BigInt.asUintN(length * 8, value);
  for (let at = length - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  bytes[0] = value < 0n ? 0xff : 0x80 | (bytes[0] as number);
  return bytes;
}
