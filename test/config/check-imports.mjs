/**
 * Runs dependency-cruiser with import-rules.cjs over src/. Beside the violations it checks that files were read at all:
 * with a TypeScript it does not know, dependency-cruiser reads none and reports success.
 */
import { createRequire } from 'node:module';
import { cruise } from 'dependency-cruiser';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';

const LEAST_MODULES = 40;

const { forbidden, options } = createRequire(import.meta.url)('./import-rules.cjs');
const { output } = await cruise(['src'], { ...options, ruleSet: { forbidden }, validate: true }, options.enhancedResolveOptions, {
  tsConfig: extractTSConfig(options.tsConfig.fileName),
});
const own = output.modules.filter((m) => m.source.startsWith('src/')).length;
for (const { rule, from, to } of output.summary.violations) {
  const why = forbidden.find((f) => f.name === rule.name)?.comment ?? '';
  console.error(`${rule.name}: ${from} -> ${to}\n    ${why}`);
}
if (own < LEAST_MODULES) {
  console.error(`Only ${own} files of src/ were read; at least ${LEAST_MODULES} are expected.`);
  process.exitCode = 1;
}
if (output.summary.violations.length > 0) process.exitCode = 1;
console.log(`imports: ${own} files, ${output.summary.totalDependenciesCruised} imports, ${output.summary.violations.length} violations`);
