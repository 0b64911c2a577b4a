import { build } from '../services/build.mjs'

/** What tests start as a process runs from dist/: it must be that of the sources. */
export default function setup(): void {
  build()
}
