/** Tells the owner's server that a budget is nearly spent. Knows budgets and amounts, never requests. */
import { createHmac } from 'node:crypto'
import { type Clock, type Log, reveal, type Secret } from '../util/index.ts'
import type { BudgetState } from './budgets.ts'

export interface Webhook {
  /** Resolves with true when the server took it, with false when it was given up. Never rejects. */
  send(state: BudgetState): Promise<boolean>
  /** Stops trying. */
  close(): void
}

export interface WebhookOptions {
  readonly url: string
  readonly secret?: Secret<string> | undefined
}

/** Six tries over about ten minutes: a server that restarts is back by then. */
const RETRY_DELAYS_MS = [1_000, 5_000, 30_000, 120_000, 480_000]
const TIMEOUT_MS = 10_000

export function createWebhook(
  deps: { readonly clock: Clock; readonly log: Log; readonly fetch: typeof globalThis.fetch },
  { url, secret }: WebhookOptions,
): Webhook {
  const { clock, log } = deps
  const stopped = new AbortController()
  const wait = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = clock.after(ms, resolve)
      stopped.signal.addEventListener('abort', () => {
        timer.cancel()
        resolve()
      })
    })

  async function attempt(body: string): Promise<string | null> {
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    const seconds = Math.floor(clock.now() / 1000)
    if (secret !== undefined) headers['x-cocoon-signature'] = signatureOf(reveal(secret), seconds, body)
    const signal = AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), stopped.signal])
    try {
      // A redirect would carry the message to where the owner did not send it.
      const reply = await deps.fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal })
      await reply.body?.cancel()
      return reply.ok ? null : `status ${reply.status}`
    } catch (error) {
      return (error as Error).message
    }
  }

  return {
    async send(state) {
      const body = JSON.stringify(warningOf(state))
      for (let tries = 0; !stopped.signal.aborted; tries++) {
        const problem = await attempt(body)
        if (problem === null) return true
        const delayMs = RETRY_DELAYS_MS[tries]
        log.warn('the webhook did not take a warning', { problem, tries: tries + 1, givesUp: delayMs === undefined })
        if (delayMs === undefined) return false
        await wait(delayMs)
      }
      return false
    },
    close: () => stopped.abort(),
  }
}

/** `t=SECONDS,v1=HEX`, over `SECONDS.BODY`: an old message cannot be sent again as a new one. */
export const signatureOf = (secret: string, seconds: number, body: string): string =>
  `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`

function warningOf({ budget, spentNano, reservedNano, fromMs, untilMs }: BudgetState): object {
  const { scope, id, model, window, limitNano, warnAtPercent } = budget
  return {
    type: 'budget.warning',
    budget: { scope, id, model, window, warn_at_percent: warnAtPercent },
    limit_nano: String(limitNano),
    spent_nano: String(spentNano),
    reserved_nano: String(reservedNano),
    window_begins: new Date(fromMs).toISOString(),
    window_ends: Number.isFinite(untilMs) ? new Date(untilMs).toISOString() : null,
  }
}
