#!/usr/bin/env node
import { bootstrap } from '../services/bootstrap.mjs'

void bootstrap('cli/ebb.ts', process.argv.slice(2))
