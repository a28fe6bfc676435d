/**
 * How much each connected proxy has for a model, and at what price, as it said a moment ago. Asked only while requests are to be
 * given to one of several; a proxy that does not say counts as an average one.
 */
import type { Clock } from '../../util/index.ts'
import type { OfferSource } from './offer-lists.ts'
import type { ToldModel } from './offers.ts'
import type { ProxyShare } from './proxy-choice.ts'

export interface ShareSource extends OfferSource {
  /** Requests of ours that run there. */
  readonly running: number
}

export interface ProxyShares {
  /** Asks those that were not asked for a while. Returns at once. */
  refresh(sources: readonly ShareSource[]): void
  /** Undefined where the proxy has not said, or too long ago. */
  of(connectionId: number, model: string, maxCoefficient: number): ProxyShare | undefined
}

/** Loads change within seconds; a question costs a proxy less than a request. */
const ASK_EVERY_MS = 2_000
const FORGET_AFTER_MS = 30_000
/** Of models and caps, which callers choose. */
const MAX_REMEMBERED = 1_000

interface Told {
  readonly atMs: number
  readonly models: readonly ToldModel[]
  /** Requests of ours that its counts have in them. */
  readonly ownThen: number
  /** By model and cap: lists may be long, and requests come by the thousand. */
  readonly shareByName: Map<string, ProxyShare>
}

export function createProxyShares(clock: Clock): ProxyShares {
  const toldById = new Map<number, Told>()
  const askedMsById = new Map<number, number>()
  /** Of connections that answer slowly: one question at a time. */
  const open = new Set<number>()

  function ask({ connectionId, running, models }: ShareSource): void {
    open.add(connectionId)
    askedMsById.set(connectionId, clock.now())
    models()
      .then((list) => {
        toldById.set(connectionId, { atMs: clock.now(), models: list, ownThen: running, shareByName: new Map() })
      })
      // It stays an average one; why it does not answer is the business of whoever asks for the list.
      .catch(() => undefined)
      .finally(() => open.delete(connectionId))
  }

  function forgetOthers(sources: readonly ShareSource[]): void {
    for (const id of askedMsById.keys())
      if (!sources.some(({ connectionId }) => connectionId === id)) {
        askedMsById.delete(id)
        toldById.delete(id)
      }
  }

  return {
    refresh(sources) {
      const now = clock.now()
      for (const source of sources) {
        const askedMs = askedMsById.get(source.connectionId)
        if (open.has(source.connectionId) || (askedMs !== undefined && now - askedMs < ASK_EVERY_MS)) continue
        if (askedMs === undefined) forgetOthers(sources)
        ask(source)
      }
    },
    of(connectionId, model, maxCoefficient) {
      const told = toldById.get(connectionId)
      if (told === undefined || clock.now() - told.atMs > FORGET_AFTER_MS) return undefined
      const name = `${maxCoefficient} ${model}`
      let share = told.shareByName.get(name)
      if (share === undefined) {
        share = shareIn(told, model, maxCoefficient)
        if (told.shareByName.size >= MAX_REMEMBERED) told.shareByName.clear()
        told.shareByName.set(name, share)
      }
      return share
    },
  }
}

function shareIn({ models, ownThen }: Told, model: string, maxCoefficient: number): ProxyShare {
  const offer = models.find(({ id }) => id === model)
  // The oldest version names models and tells nothing of workers.
  if (offer?.workers.length === 0) return { places: 1, others: 0, coefficient: maxCoefficient }
  const within = (offer?.workers ?? []).filter(({ coefficient }) => coefficient <= maxCoefficient)
  let [places, running] = [0, 0]
  let coefficient = Number.POSITIVE_INFINITY
  for (const worker of within) {
    // Where a worker tells no number of places, one is what is certain.
    places += Math.max(1, worker.maxRunningRequests)
    running += worker.runningRequests
    const isFree = worker.runningRequests < Math.max(1, worker.maxRunningRequests)
    if (isFree) coefficient = Math.min(coefficient, worker.coefficient)
  }
  return { places, others: Math.max(0, running - ownThen), coefficient: Math.min(coefficient, maxCoefficient) }
}
