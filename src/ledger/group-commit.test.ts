import { expect, test } from 'vitest'
import { createGroupCommit } from './group-commit.ts'

/** Writes that end when told to. */
function manualWrites(limit = { items: 100, groups: 1 }) {
  const groups: (readonly number[])[] = []
  const ends: { resolve(): void; reject(why: Error): void }[] = []
  const commit = createGroupCommit<number>(limit, (group) => {
    groups.push(group)
    return new Promise((resolve, reject) => ends.push({ resolve, reject }))
  })
  return { commit, groups, ends }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('what comes while a group is written is the next group, in order', async () => {
  const { commit, groups, ends } = manualWrites()
  const done: number[] = []
  const add = (n: number): Promise<unknown> => commit.add(n).then(() => done.push(n))
  const all = [add(1), add(2)]
  await turn()
  all.push(add(3), add(4))
  await turn()
  expect(groups).toEqual([[1, 2]])
  ends[0]?.resolve()
  await turn()
  expect(groups).toEqual([
    [1, 2],
    [3, 4],
  ])
  expect(done).toEqual([1, 2])
  ends[1]?.resolve()
  await Promise.all(all)
  expect(done).toEqual([1, 2, 3, 4])
})

test('a group that fails rejects its own items and no others', async () => {
  const { commit, ends } = manualWrites()
  const first = commit.add(1)
  await turn()
  const second = commit.add(2)
  ends[0]?.reject(new Error('no room'))
  await expect(first).rejects.toThrow('no room')
  await turn()
  ends[1]?.resolve()
  await second
})

test('with two at a time the second group goes to the writer while the first is written, and a third waits', async () => {
  const { commit, groups, ends } = manualWrites({ items: 100, groups: 2 })
  const all: Promise<void>[] = []
  for (const n of [1, 2, 3, 4]) {
    all.push(commit.add(n))
    await turn()
  }
  expect(groups).toEqual([[1], [2]])
  ends[0]?.resolve()
  await turn()
  expect(groups).toEqual([[1], [2], [3, 4]])
  for (const end of ends) end.resolve()
  await Promise.all(all)
  await commit.idle()
})

test('a group has no more items than the limit', async () => {
  const groups: number[] = []
  const commit = createGroupCommit<number>({ items: 3, groups: 1 }, async (group) => void groups.push(group.length))
  await Promise.all(Array.from({ length: 8 }, (_, i) => commit.add(i)))
  expect(groups).toEqual([3, 3, 2])
})

test('idle waits for everything that was added', async () => {
  const { commit, ends } = manualWrites({ items: 1, groups: 1 })
  let isIdle = false
  const all = [commit.add(1), commit.add(2)]
  const idle = commit.idle().then(() => (isIdle = true))
  for (const n of [0, 1]) {
    await turn()
    expect(isIdle).toBe(false)
    ends[n]?.resolve()
  }
  await Promise.all([...all, idle])
})
