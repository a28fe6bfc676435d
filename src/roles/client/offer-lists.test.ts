import { describe, expect, test } from 'vitest'
import { CocoonError, manualClock } from '../../util/index.ts'
import { createOfferLists, OFFERS_PATIENCE_MS, type OfferSource } from './offer-lists.ts'
import type { ToldModel, ToldWorker } from './offers.ts'

const worker = (): ToldWorker => ({ coefficient: 1000, runningRequests: 0, maxRunningRequests: 4 })
const model = (id: string, ...workers: ToldWorker[]): ToldModel => ({ id, workers })

/** Proxies that answer when the test says so. */
function network(...names: readonly string[]) {
  const clock = manualClock()
  const asked: { readonly of: string; answer(...models: ToldModel[]): void; fail(why: CocoonError): void }[] = []
  const ready = names.map(
    (address, connectionId): OfferSource => ({
      connectionId,
      address,
      models: () =>
        new Promise((resolve, reject) => {
          asked.push({ of: address, answer: (...models) => resolve(models), fail: reject })
        }),
    }),
  )
  const offers = createOfferLists({
    clock,
    ready: () => ready,
    nobody: () => new CocoonError('capacity.no-proxy', { message: 'none' }),
  })
  return { clock, asked, offers, answerOf: (of: string) => asked.findLast((one) => one.of === of) }
}

/** All that is due without the clock. */
const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}
const isOver = async (promise: Promise<unknown>): Promise<boolean> => {
  let over = false
  void promise.then(
    () => (over = true),
    () => (over = true),
  )
  await settle()
  return over
}

describe('asking the proxies', () => {
  test('waits for those that are a little slower', async () => {
    const { offers, answerOf, clock } = network('a', 'b')
    const list = offers()
    answerOf('a')?.answer(model('m', worker()))
    clock.advance(OFFERS_PATIENCE_MS - 1)
    expect(await isOver(list)).toBe(false)
    answerOf('b')?.answer(model('n', worker()))
    expect((await list).models.map(({ id }) => id)).toEqual(['m', 'n'])
    expect((await list).silent).toEqual([])
  })

  test('gives up on a silent one after a moment, says so, and does not wait for it again', async () => {
    const { offers, asked, answerOf, clock } = network('a', 'b')
    const list = offers()
    answerOf('a')?.answer(model('m', worker()))
    await settle()
    clock.advance(OFFERS_PATIENCE_MS)
    expect(await list).toMatchObject({ models: [{ id: 'm' }], silent: ['b'] })
    const next = offers()
    answerOf('a')?.answer(model('m', worker()))
    expect(await next).toMatchObject({ models: [{ id: 'm' }], silent: ['b'] })
    expect(asked.map(({ of }) => of)).toEqual(['a', 'b', 'a'])
    answerOf('b')?.answer(model('late', worker()))
    await settle()
    const last = offers()
    for (const of of ['a', 'b']) answerOf(of)?.answer(model(of, worker()))
    expect(await last).toMatchObject({ models: [{ id: 'a' }, { id: 'b' }], silent: [] })
  })

  test('waits on where none has answered yet, for whoever is first', async () => {
    const { offers, answerOf, clock } = network('a', 'b')
    const list = offers()
    clock.advance(3 * OFFERS_PATIENCE_MS)
    expect(await isOver(list)).toBe(false)
    answerOf('b')?.answer(model('m', worker()))
    expect(await list).toMatchObject({ models: [{ id: 'm' }], silent: ['a'] })
  })

  test('counts one that fails as silent, and fails only when all do', async () => {
    const { offers, answerOf } = network('a', 'b')
    const why = new CocoonError('protocol.query-timeout', { message: 'no answer' })
    const list = offers()
    answerOf('a')?.fail(why)
    answerOf('b')?.answer()
    expect(await list).toEqual({ models: [], silent: ['a'] })
    const none = offers()
    for (const of of ['a', 'b']) answerOf(of)?.fail(why)
    await expect(none).rejects.toMatchObject({ code: 'protocol.query-timeout' })
  })

  test('of nobody says why there is nobody, and ends with its asker', async () => {
    await expect(network().offers()).rejects.toMatchObject({ code: 'capacity.no-proxy' })
    const asker = new AbortController()
    const left = network('a').offers(asker.signal)
    asker.abort(new Error('left'))
    await expect(left).rejects.toThrow('left')
  })
})
