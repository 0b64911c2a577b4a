/** Runs `work` over all items, `lanes` at a time. @returns results in order. After a failure nothing more is begun; what is under way goes on. */
export async function inLanes<In, Out>(
  items: readonly In[],
  lanes: number,
  work: (item: In) => Promise<Out>,
): Promise<Out[]> {
  const results: Out[] = new Array(items.length)
  let next = 0
  const lane = async () => {
    for (let at = next++; at < items.length; at = next++) {
      try {
        results[at] = await work(items[at]!)
      } catch (error) {
        next = items.length
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane))
  return results
}
