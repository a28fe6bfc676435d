/** Proxies' lists of models, as this client shows them: one list of what can be had, whoever of the proxies has it. */
import { abilitiesOf, type ValueOf, type x1Offers } from '../../tl/index.ts'
import type { EvidenceLabel } from '../../transport/index.ts'
import { toHex } from '../../util/index.ts'
import type { ModelOffer } from './inference.ts'

type OfferedWorker = Omit<ModelOffer['workers'][number], 'proxies'>

/** A worker as one proxy knows it. */
export interface ToldWorker extends OfferedWorker {
  /** What it calls itself at every proxy, hex; absent where nobody tells. */
  readonly instance?: string
}

export interface ToldModel {
  /** Base model name. */
  readonly id: string
  readonly workers: readonly ToldWorker[]
}

const LABELS: readonly EvidenceLabel[] = ['verified', 'simulated', 'none']

export const offersFrom = ({ models }: Pick<ValueOf<typeof x1Offers>, 'models'>): readonly ToldModel[] =>
  models.map(({ name: id, workers }) => ({
    id,
    workers: workers.map((w) => ({
      coefficient: w.coefficient,
      runningRequests: w.activeRequests,
      maxRunningRequests: w.maxActiveRequests,
      // A word that is none of ours proves nothing.
      evidence: LABELS.find((label) => label === w.evidence) ?? 'none',
      ...(w.abilities === undefined ? {} : { abilities: abilitiesOf(w.abilities) }),
      ...(w.instance === undefined ? {} : { instance: toHex(w.instance) }),
    })),
  }))

/** @param lists by the proxy's address */
export function mergeOffers(
  lists: readonly { readonly proxy: string; readonly models: readonly ToldModel[] }[],
): readonly ModelOffer[] {
  const byId = new Map<string, Merged[]>()
  for (const { proxy, models } of lists)
    for (const { id, workers } of models) {
      let merged = byId.get(id)
      if (merged === undefined) byId.set(id, (merged = []))
      for (const worker of workers) add(merged, proxy, worker)
    }
  return [...byId].map(([id, merged]) => ({
    id,
    workers: merged
      .map(({ worker, proxies }) => ({ ...worker, proxies }))
      .toSorted((a, b) => a.coefficient - b.coefficient),
  }))
}

interface Merged {
  worker: OfferedWorker
  readonly instance: string | undefined
  readonly proxies: string[]
}

/**
 * A worker that is connected to several proxies has its places once, and each proxy knows only of its own requests there. Its name
 * is its own word: one that another took counts as the same only on the same terms, and never twice at one proxy.
 */
function add(merged: Merged[], proxy: string, { instance, ...worker }: ToldWorker): void {
  const known =
    instance === undefined
      ? undefined
      : merged.find(
          (one) => one.instance === instance && onSameTerms(one.worker, worker) && !one.proxies.includes(proxy),
        )
  if (known === undefined) return void merged.push({ worker, instance, proxies: [proxy] })
  known.proxies.push(proxy)
  known.worker = { ...known.worker, runningRequests: known.worker.runningRequests + worker.runningRequests }
}

const onSameTerms = (a: OfferedWorker, b: OfferedWorker): boolean =>
  a.coefficient === b.coefficient && a.maxRunningRequests === b.maxRunningRequests && a.evidence === b.evidence
