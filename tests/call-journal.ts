/** Calls of scripted activities in the order they came, as `name` or `name:detail`. */
export type Journal = string[]
