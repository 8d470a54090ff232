/** Faults of instructions that can be seen without variables: they count in stages that are not built, too, as in Docker. */
import type { Faults } from './faults.ts';
import { parseHealthcheck } from './instructions/healthcheck.ts';
import { checkRun } from './instructions/run.ts';
import { checkFrom, checkFromText } from './origins.ts';
import { references } from './reach.ts';
import type { Outline } from './stages.ts';

export function checkStages({ stages, structure }: Outline, faults: Faults): void {
  for (const { index, instructions } of stages) {
    for (const instruction of instructions) {
      faults.collect(instruction.at, () => {
        if (instruction.keyword === 'HEALTHCHECK') parseHealthcheck(instruction);
        if (instruction.keyword === 'RUN') checkRun(instruction);
        for (const { from, option } of references(instruction)) {
          if (structure === 'certain') checkFrom(from, option, { stages, index });
          else checkFromText(from, option);
        }
      });
    }
  }
}
