#!/usr/bin/env node
// The program is bundled into dist/ by "npm run build".
import '../dist/cli/main.js';
