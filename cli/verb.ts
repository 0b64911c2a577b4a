import type { Command } from 'commander'

/** What a file of a verb exports as `define`: it adds options and the action to the command of that name. */
export type DefineVerb = (command: Command) => void
