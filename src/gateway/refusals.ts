/**
 * Requests that this node refused itself. Refusing is cheap for whoever asks, so it must be cheap here: all are counted, by
 * day, key and code, and only some of a moment are kept one by one.
 */
import { type ApiKey, DEFAULT_PROJECT, NOBODY, type ReasonCount, type Receipt, type Refused } from './accounts.ts'
import { OWNER } from '../roles/client/index.ts'
import type { Change } from './store.ts'
import { dayOf } from './windows.ts'

export interface Refusals {
  add(refused: Refused, nowMs: number): void
  /** What was added since the last call; null when nothing was. */
  take(): Change | null
}

/** Of one write, ten a second: enough to see what is going on. */
const KEPT = 100

/** @param keyById those of which a refused request may be */
export function createRefusals(keyById: (id: string) => ApiKey | undefined): Refusals {
  let receipts: Receipt[] = []
  let countByName = new Map<string, ReasonCount>()
  return {
    add(refused, nowMs) {
      const { request, caller, model, path, status, code, durationMs } = refused
      const project = caller === OWNER ? DEFAULT_PROJECT : (keyById(caller)?.project ?? NOBODY)
      const key = caller === '' ? NOBODY : caller
      const day = dayOf(nowMs)
      const name = `${day} ${key} ${code}`
      const requests = (countByName.get(name)?.requests ?? 0) + 1
      countByName.set(name, { day, project, key, code, requests })
      if (receipts.length >= KEPT) return
      const facts = { request, atMs: nowMs, project, key, model, path, result: 'refused', status, code } as const
      receipts.push({ ...NO_COST, ...facts, durationMs })
    },
    take() {
      if (countByName.size === 0) return null
      const change: Change = { put: 'refusals', receipts, counts: [...countByName.values()] }
      receipts = []
      countByName = new Map()
      return change
    },
  }
}

const NO_COST = {
  ...{ prompt: 0n, cached: 0n, completion: 0n, reasoning: 0n, total: 0n },
  ...{ costNano: 0n, unsettledNano: 0n, maxCostNano: 0n },
  ...{ proxy: null, worker: null, evidence: null, attempts: [], queuedMs: null, sentMs: null, firstByteMs: null },
} as const
