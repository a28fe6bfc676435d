import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { type Clock, manualClock, Secret, silentLog } from '../util/index.ts'
import type { BudgetState } from './budgets.ts'
import { createWebhook, signatureOf } from './webhook.ts'

const STATE: BudgetState = {
  budget: { scope: 'key', id: 'k1', model: '', window: 'total', limitNano: 100n, warnAtPercent: 80, warnedFromMs: 0 },
  fromMs: 0,
  untilMs: Number.POSITIVE_INFINITY,
  spentNano: 85n,
  reservedNano: 3n,
}

interface Sent {
  readonly url: string
  readonly headers: Record<string, string>
  readonly body: string
}

/** A server that answers with these statuses, one after the other; the clock moves on after each. */
function setup(statuses: readonly number[], secret?: string) {
  const clock: Clock & { advance(ms: number): void } = manualClock(1_800_000_000_000)
  const sent: Sent[] = []
  const fetch: typeof globalThis.fetch = (url, init) => {
    sent.push({ url: String(url), headers: init?.headers as Record<string, string>, body: String(init?.body) })
    const status = statuses[sent.length - 1] ?? 500
    setImmediate(() => clock.advance(600_000))
    return status === 0 ? Promise.reject(new TypeError('unreachable')) : Promise.resolve(new Response(null, { status }))
  }
  const options = { url: 'https://owner.example/hook', ...(secret === undefined ? {} : { secret: new Secret(secret) }) }
  return { sent, webhook: createWebhook({ clock, log: silentLog, fetch }, options) }
}

test('a warning has amounts and the budget’s name, signed over the time and the whole body', async () => {
  const { sent, webhook } = setup([200], 'a-secret-of-the-owner')
  expect(await webhook.send(STATE)).toBe(true)
  const [{ body, headers } = { body: '', headers: {} as Record<string, string> }] = sent
  expect(JSON.parse(body)).toMatchObject({
    type: 'budget.warning',
    budget: { scope: 'key', id: 'k1', window: 'total' },
    limit_nano: '100',
    spent_nano: '85',
    window_ends: null,
  })
  const expected = createHmac('sha256', 'a-secret-of-the-owner').update(`1800000000.${body}`).digest('hex')
  expect(headers['x-cocoon-signature']).toBe(`t=1800000000,v1=${expected}`)
  expect(signatureOf('a-secret-of-the-owner', 1_800_000_001, body)).not.toContain(expected)
})

test('a server that is away, fails or redirects is asked again until it takes the warning', async () => {
  const { sent, webhook } = setup([0, 503, 302, 200])
  expect(await webhook.send(STATE)).toBe(true)
  expect(sent).toHaveLength(4)
  expect(new Set(sent.map(({ url }) => url))).toEqual(new Set(['https://owner.example/hook']))
})

test('after six refusals it is given up', async () => {
  const { sent, webhook } = setup([])
  expect(await webhook.send(STATE)).toBe(false)
  expect(sent).toHaveLength(6)
})

test('closing ends the waiting', async () => {
  const clock = manualClock()
  const webhook = createWebhook(
    { clock, log: silentLog, fetch: () => Promise.resolve(new Response(null, { status: 500 })) },
    { url: 'https://owner.example/hook' },
  )
  const sending = webhook.send(STATE)
  await new Promise((resolve) => setImmediate(resolve))
  webhook.close()
  expect(await sending).toBe(false)
})
