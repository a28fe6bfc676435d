/** What happened to a request, in order, from its receipt. Pure. */
import type { Receipt, Try } from '../../node/shapes.ts'
import { formatAmount, formatMs, shortAddress } from '../../parts/format.ts'

export interface Moment {
  readonly atMs: number
  readonly kind: 'came' | 'queued' | 'sent' | 'answered' | 'lost' | 'ended'
  readonly text: string
}

export function momentsOf(receipt: Receipt): readonly Moment[] {
  const { first_byte_ms: firstMs, duration_ms: allMs, tries } = receipt
  const came: Moment = { atMs: 0, kind: 'came', text: `It came, from ${whose(receipt)}.` }
  const waited: Moment[] =
    receipt.queued_ms === null || receipt.queued_ms === 0 || tries.length === 0
      ? []
      : [
          {
            atMs: tries.at(-1)?.sent_ms ?? 0,
            kind: 'queued',
            text: `It had waited ${formatMs(receipt.queued_ms)} for a worker.`,
          },
        ]
  const moments = [...waited, ...tries.flatMap((one, i) => momentsOfTry(one, i, tries.length, i === tries.length - 1))]
  const answered: Moment[] =
    firstMs === null ? [] : [{ atMs: firstMs, kind: 'answered', text: 'The first of the answer went to the caller.' }]
  const ended: Moment = { atMs: allMs, kind: 'ended', text: endOf(receipt) }
  // Sorting is stable: of the same millisecond, what caused the other stands first.
  return [came, ...[...moments, ...answered].toSorted((a, b) => a.atMs - b.atMs), ended]
}

const whose = ({ key }: Receipt): string =>
  key === 'owner' ? 'the owner of the node' : key === '-' ? 'nobody known' : `key ${key}`

function momentsOfTry(one: Try, index: number, count: number, isLast: boolean): readonly Moment[] {
  const which = count === 1 ? '' : ` (attempt ${index + 1} of ${count})`
  const to =
    one.worker === null ? `the proxy ${one.proxy}` : `worker ${shortAddress(one.worker)} through the proxy ${one.proxy}`
  const sent: Moment = { atMs: one.sent_ms, kind: 'sent', text: `It was sent to ${to}${which}.` }
  // How the last one ended is how the request did.
  if (isLast || one.ended_ms === null || one.ended === null) return [sent]
  return [sent, { atMs: one.ended_ms, kind: 'lost', text: `Attempt ${index + 1} ended: ${one.ended}.` }]
}

function endOf(receipt: Receipt): string {
  const cost = receipt.cost_nano === '0' ? 'Nothing was charged.' : `${formatAmount(receipt.cost_nano)} were charged.`
  switch (receipt.result) {
    case 'ok':
      return `Done. ${cost}`
    case 'cancelled':
      return `The caller left. ${cost}`
    case 'refused':
      return `${receipt.tries.length === 0 ? 'This node refused it' : 'It was refused'}: ${receipt.code ?? 'without a reason'}.`
    default:
      return `It failed: ${receipt.code ?? receipt.result}. ${cost}`
  }
}

/** Stretches of time, one after the other: in the proxy's queue, until the first byte, until the end. */
export interface Stretches {
  readonly queuedMs: number
  readonly waitingMs: number
  readonly answeringMs: number
}

export function stretchesOf({ queued_ms, first_byte_ms, duration_ms }: Receipt): Stretches {
  const firstMs = Math.min(first_byte_ms ?? duration_ms, duration_ms)
  const queuedMs = Math.min(queued_ms ?? 0, firstMs)
  return { queuedMs, waitingMs: firstMs - queuedMs, answeringMs: duration_ms - firstMs }
}

/** `queued 5 ms, first byte after 20 ms, ended after 45 ms` */
export function timesOf({ queued_ms, first_byte_ms, duration_ms }: Receipt): string {
  const queued = queued_ms === null || queued_ms === 0 ? '' : `queued ${formatMs(queued_ms)}, `
  const first = first_byte_ms === null ? 'no answer' : `first byte after ${formatMs(first_byte_ms)}`
  return `${queued}${first}, ended after ${formatMs(duration_ms)}`
}
