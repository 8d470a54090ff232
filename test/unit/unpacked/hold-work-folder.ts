/** A build's work folder, held until the process is killed: `hold.mjs parent [temporary]`. Writes its path. */
import { openTemporaryFolder, openWorkFolder } from '../../../src/unpacked/work-folder.ts';

const unexpected = (message: string): void => {
  throw new Error(message);
};

const open = process.argv[3] === 'temporary' ? openTemporaryFolder : openWorkFolder;
const { path } = await open(process.argv[2] ?? '', unexpected);
console.log(path);
setInterval(() => undefined, 1000);
