/** A build's work folder, held until the process is killed: `hold.mjs parent`. Writes its path. */
import { openWorkFolder } from '../../../src/unpacked/work-folder.ts';

const { path } = await openWorkFolder(process.argv[2] ?? '');
console.log(path);
setInterval(() => undefined, 1000);
