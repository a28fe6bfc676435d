/**
 * Group commit: while groups are being written the next one collects, so a sync to the disk is shared by all that came
 * during the ones before it. Knows neither disk nor ledger.
 */

export interface GroupCommit<Item> {
  /** Resolves when the item's group is written; rejects with what its `write` threw. */
  add(item: Item): Promise<void>
  /** Resolves when nothing waits and nothing is being written. */
  idle(): Promise<void>
}

/**
 * @param limit.items the most items in a group
 * @param limit.groups how many groups may be with the writer at a time; with two, the second is at hand when the first is
 *   written, and the writer never waits for us
 * @param write called in the order of `add`; what it returns may settle in any order
 */
export function createGroupCommit<Item>(
  limit: { readonly items: number; readonly groups: number },
  write: (group: readonly Item[]) => Promise<void>,
): GroupCommit<Item> {
  let waiting: Waiting<Item>[] = []
  let writing = 0
  let scheduled = false
  const idlers: (() => void)[] = []

  const isIdle = (): boolean => waiting.length === 0 && writing === 0

  function writeMore(): void {
    scheduled = false
    while (waiting.length > 0 && writing < limit.groups) {
      const group = waiting.length <= limit.items ? waiting : waiting.slice(0, limit.items)
      waiting = group === waiting ? [] : waiting.slice(limit.items)
      writing++
      write(group.map(({ item }) => item)).then(
        () => {
          for (const { resolve } of group) resolve()
          written()
        },
        (error: Error) => {
          for (const { reject } of group) reject(error)
          written()
        },
      )
    }
  }

  function written(): void {
    writing--
    writeMore()
    if (isIdle()) for (const wake of idlers.splice(0)) wake()
  }

  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject })
        if (scheduled || writing >= limit.groups) return
        // Whatever else this turn of the event loop brings belongs to the same group.
        scheduled = true
        setImmediate(writeMore)
      }),
    idle: () => (isIdle() ? Promise.resolve() : new Promise((resolve) => idlers.push(resolve))),
  }
}

interface Waiting<Item> {
  readonly item: Item
  readonly resolve: () => void
  readonly reject: (why: Error) => void
}
