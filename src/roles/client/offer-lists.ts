/** What all connected proxies have on offer together. One that does not answer is waited for briefly, and only once. */
import { type Clock, CocoonError, toCocoonError } from '../../util/index.ts'
import type { Offers } from './inference.ts'
import { mergeOffers, type ToldModel } from './offers.ts'

/** A ready proxy, as it is asked for its list. */
export interface OfferSource {
  readonly connectionId: number
  /** Address and port. */
  readonly address: string
  /** Rejects after a time limit of its own. */
  models(): Promise<readonly ToldModel[]>
}

export interface OfferListsDeps {
  readonly clock: Clock
  ready(): readonly OfferSource[]
  /** Why nobody is ready. */
  nobody(): CocoonError
}

/** As long as others have answered; a proxy answers from memory, so that most of this is distance. */
export const OFFERS_PATIENCE_MS = 1_000

interface Question {
  readonly sinceMs: number
  /** Never rejects. */
  readonly over: Promise<void>
  outcome: readonly ToldModel[] | CocoonError | undefined
}

/** Rejects with `capacity.no-proxy`; with what went wrong, where no proxy answers; and with the signal's reason. */
export function createOfferLists({ clock, ready, nobody }: OfferListsDeps): (signal?: AbortSignal) => Promise<Offers> {
  /** One at a time for each connection: a silent proxy is not asked again, nor waited for, until that has ended. */
  const openById = new Map<number, Question>()

  function questionTo(source: OfferSource): Question {
    const open = openById.get(source.connectionId)
    if (open !== undefined) return open
    const answer = source.models().then(
      (models) => void (question.outcome = models),
      (error: unknown) => void (question.outcome = toCocoonError(error)),
    )
    const question: Question = {
      sinceMs: clock.now(),
      over: answer.then(() => void openById.delete(source.connectionId)),
      outcome: undefined,
    }
    openById.set(source.connectionId, question)
    return question
  }

  function isEnough(questions: readonly Question[]): boolean {
    const open = questions.filter(({ outcome }) => outcome === undefined)
    if (open.length === 0) return true
    const isLate = open.every(({ sinceMs }) => clock.now() - sinceMs >= OFFERS_PATIENCE_MS)
    return isLate && questions.some(({ outcome }) => outcome !== undefined && !(outcome instanceof CocoonError))
  }

  function settled(questions: readonly Question[], signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const look = (): void => {
      if (isEnough(questions)) resolve()
    }
    const abort = (): void => reject(signal?.reason as Error)
    for (const { over } of questions) void over.then(look)
    const timer = clock.after(OFFERS_PATIENCE_MS, look)
    if (signal?.aborted === true) abort()
    signal?.addEventListener('abort', abort, { once: true })
    return promise.finally(() => {
      timer.cancel()
      signal?.removeEventListener('abort', abort)
    })
  }

  return async (signal) => {
    const asked = ready().map((source) => ({ source, question: questionTo(source) }))
    if (asked.length === 0) throw nobody()
    await settled(
      asked.map(({ question }) => question),
      signal,
    )
    const lists: { proxy: string; models: readonly ToldModel[] }[] = []
    const silent: string[] = []
    let why: CocoonError | undefined
    for (const { source, question } of asked) {
      const { outcome } = question
      if (outcome === undefined || outcome instanceof CocoonError) {
        silent.push(source.address)
        why ??= outcome
      } else lists.push({ proxy: source.address, models: outcome })
    }
    if (lists.length === 0 && why !== undefined) throw why
    return { models: mergeOffers(lists), silent }
  }
}
