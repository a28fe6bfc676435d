/** The last decisions about requests, for people who ask why: `/status` shows them. Ids and counts, never content. */
import type { OwnerKey } from '../../ledger/index.ts'

export interface Decision {
  readonly atMs: number
  readonly what: 'sent' | 'sent again' | 'waits' | 'moves' | 'refused'
  readonly model: string
  readonly client: OwnerKey
  /** Scores, counts, reasons. */
  readonly facts: Readonly<Record<string, string | number>>
}

export interface Decisions {
  add(decision: Decision): void
  /** The newest first. */
  newest(): readonly Decision[]
}

/** Enough to see what a proxy is doing; more is what logs and metrics are for. */
const KEPT = 32

export function createDecisions(): Decisions {
  const kept: Decision[] = []
  let next = 0
  return {
    add(decision) {
      kept[next] = decision
      next = (next + 1) % KEPT
    },
    newest: () => [...kept.slice(0, next).toReversed(), ...kept.slice(next).toReversed()],
  }
}
