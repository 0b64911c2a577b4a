import type { ErasureActivities } from '../schemas/erasure.ts'
import { type BlockDeps, publishBlock } from './publish-block.ts'

/** Collection and use stop: nothing of the person's closure is taken any more, as soon as `awaitBlock` passes. */
export function createBlockSubjects(deps: BlockDeps): ErasureActivities['blockSubjects'] {
  return async ({ requestId }) => {
    await publishBlock(deps, requestId)
  }
}
