#!/usr/bin/env node
/** Stands where Kaniko's image has its warmer. */

console.error(
  'error: the warmer is not supported yet: tsbuild has no command that fills the cache ahead of builds\n' +
    '  hint: leave this step out; --cache-dir keeps what builds pull',
);
process.exitCode = 1;
