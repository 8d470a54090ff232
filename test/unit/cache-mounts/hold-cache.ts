/** A cache mount, held until the process is killed: `hold.mjs folder request-as-json`. Writes its path. */
import type { CacheMountRequest } from '../../../src/cache-mounts/cache-mounts.ts';
import { folderCacheMounts } from '../../../src/cache-mounts/folder-cache-mounts.ts';

const [, , folder = '', request = ''] = process.argv;
const { hostPath } = await folderCacheMounts(folder).open(JSON.parse(request) as CacheMountRequest, null, new AbortController().signal);
console.log(hostPath);
setInterval(() => undefined, 1000);
