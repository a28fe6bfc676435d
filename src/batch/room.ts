/**
 * Whether the network has room for another line of a batch, and at which price: batches take the cheapest workers that have
 * places free, and leave a share of the places to requests that somebody waits for.
 */
import type { ModelOffer } from '../roles/client/index.ts'

export type Room =
  /** Per mille: what the line is to offer. */
  | { readonly at: 'coefficient'; readonly coefficient: number }
  /** Nobody offers the model. */
  | { readonly at: 'nowhere' }
  /** Workers there are, all above the cap. */
  | { readonly at: 'dearer' }
  /** The workers within the cap have enough to do. */
  | { readonly at: 'full' }

/** What counts of a model's offer. */
export interface OfferedRoom {
  readonly workers: readonly Pick<
    ModelOffer['workers'][number],
    'coefficient' | 'runningRequests' | 'maxRunningRequests'
  >[]
}

/**
 * @param maxCoefficient the cap, per mille
 * @param maxLoadPercent of the places that may be taken
 * @param started lines that went out since the offers were told
 */
export function findRoom(
  offer: OfferedRoom | undefined,
  maxCoefficient: number,
  maxLoadPercent: number,
  started: number,
): Room {
  if (offer === undefined) return { at: 'nowhere' }
  // Peers of the oldest version name models and tell nothing of workers: their refusals must do.
  if (offer.workers.length === 0) return { at: 'coefficient', coefficient: maxCoefficient }
  const cheapestFirst = offer.workers.toSorted((a, b) => a.coefficient - b.coefficient)
  if ((cheapestFirst[0]?.coefficient ?? 0) > maxCoefficient) return { at: 'dearer' }
  let places = 0
  let running = started
  for (const [i, worker] of cheapestFirst.entries()) {
    if (worker.coefficient > maxCoefficient) break
    // Where a worker tells no number of places, one is what is certain.
    places += Math.max(1, worker.maxRunningRequests)
    running += worker.runningRequests
    // Workers at one price are one choice.
    if (cheapestFirst[i + 1]?.coefficient === worker.coefficient) continue
    if (running < Math.max(1, Math.floor((places * maxLoadPercent) / 100)))
      return { at: 'coefficient', coefficient: worker.coefficient }
  }
  return { at: 'full' }
}
