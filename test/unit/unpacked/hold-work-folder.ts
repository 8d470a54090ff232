/** A build's work folder, held until the process is killed: `hold.mjs parent`. Writes its path. */
import { openWorkFolder } from '../../../src/unpacked/work-folder.ts';

const unexpected = (message: string): void => {
  throw new Error(message);
};

const { path } = await openWorkFolder(process.argv[2] ?? '', unexpected);
console.log(path);
setInterval(() => undefined, 1000);
