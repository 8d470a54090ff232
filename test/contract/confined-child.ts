/** A process that confines itself as its argument says, and becomes a shell with a script: what a RUN's process does. */
import { writeSync } from 'node:fs';
import { confine } from '../../src/backend/confined/confine.ts';
import type { Confinement } from '../../src/backend/confined/confinement.ts';
import { keepOnlyStandardStreams, replaceProcess, resetSignals } from '../../src/sys/exec.ts';

const [confinement = '', script = ''] = process.argv.slice(2);
confine(JSON.parse(confinement) as Confinement, (fd) => void writeSync(3, `${fd}\n`));
resetSignals();
keepOnlyStandardStreams();
replaceProcess('/bin/sh', ['/bin/sh', '-c', script], [`PATH=${process.env['PATH'] ?? ''}`]);
