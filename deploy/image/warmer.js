#!/usr/bin/env node
/** Stands where Kaniko's image has its warmer: it is "tsbuild warm". */

const { join } = require('node:path');

// tsbuild starts itself anew by these words where an ordinary user builds.
process.argv.splice(1, 1, join(__dirname, 'tsbuild.js'), 'warm');
require(process.argv[1]);
