import { sweepStale } from './sweep-stale.ts'

// What the waiting shell of guard-children.ts runs when whoever started the engines was killed; the home is its argument.
const home = process.argv[2]
if (home) await sweepStale(home)
