/**
 * Group commit: while one group is being written the next one collects, so a sync to the disk is shared by all that came
 * during the one before it. Knows neither disk nor ledger.
 */

export interface GroupCommit<Item> {
  /** Resolves when the item's group is written; rejects with what its `write` threw. */
  add(item: Item): Promise<void>
  /** Resolves when nothing waits and nothing is being written. */
  idle(): Promise<void>
}

/**
 * @param limit the most items in a group
 * @param write called with one group at a time, in the order of `add`
 * @param pause waited for before each further group while items keep coming: a sync costs the same for one item as for
 *   many, so under load fewer and larger groups are written. An item that comes alone never waits.
 */
export function createGroupCommit<Item>(
  limit: number,
  write: (group: readonly Item[]) => Promise<void>,
  pause?: () => Promise<void>,
): GroupCommit<Item> {
  let waiting: Waiting<Item>[] = []
  let turn: Promise<void> | null = null

  async function writeAll(): Promise<void> {
    // Whoever calls `add` in this same turn of the event loop belongs to the first group.
    await Promise.resolve()
    while (waiting.length > 0) {
      const group = waiting.slice(0, limit)
      waiting = waiting.slice(limit)
      try {
        await write(group.map(({ item }) => item))
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error as Error)
      }
      if (waiting.length > 0 && pause !== undefined) await pause()
    }
    turn = null
  }

  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject })
        turn ??= writeAll()
      }),
    idle: async () => {
      while (turn !== null) await turn
    },
  }
}

interface Waiting<Item> {
  readonly item: Item
  readonly resolve: () => void
  readonly reject: (why: Error) => void
}
