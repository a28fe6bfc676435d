import { expect, test } from 'vitest'
import type { Connection } from '../../transport/index.ts'
import { manualClock } from '../../util/index.ts'
import { createThinned, NOTICE_EVERY_MS } from './thinned.ts'

const peer = (extended: boolean): Connection & { open: boolean } =>
  ({ open: true, peer: { extended } }) as unknown as Connection & { open: boolean }

function setup() {
  const clock = manualClock()
  const sent: number[] = []
  return { clock, sent, thinned: createThinned<number>(clock, (n) => void sent.push(n)) }
}

test('the first leaves at once, of the rest only the newest, when the time is over', () => {
  const { clock, sent, thinned } = setup()
  const connection = peer(true)
  for (const n of [1, 2, 3]) thinned.tell(connection, n)
  expect(sent).toEqual([1])
  clock.advance(NOTICE_EVERY_MS)
  expect(sent).toEqual([1, 3])
  thinned.tell(connection, 4)
  expect(sent).toEqual([1, 3])
  clock.advance(NOTICE_EVERY_MS)
  clock.advance(NOTICE_EVERY_MS)
  thinned.tell(connection, 5)
  expect(sent).toEqual([1, 3, 4, 5])
})

test('a peer without the extension gets every one at once, and connections do not wait for each other', () => {
  const { sent, thinned } = setup()
  const [plain, a, b] = [peer(false), peer(true), peer(true)]
  for (const n of [1, 2]) thinned.tell(plain, n)
  thinned.tell(a, 3)
  thinned.tell(b, 4)
  expect(sent).toEqual([1, 2, 3, 4])
})

test('what waits leaves on flush, once, and nothing leaves on a connection that has ended', () => {
  const { clock, sent, thinned } = setup()
  const [a, b] = [peer(true), peer(true)]
  for (const n of [1, 2]) thinned.tell(a, n)
  thinned.flush()
  for (const n of [3, 4]) thinned.tell(b, n)
  b.open = false
  clock.advance(2 * NOTICE_EVERY_MS)
  expect(sent).toEqual([1, 2, 3])
})
