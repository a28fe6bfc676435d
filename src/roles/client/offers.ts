/** A proxy's list of models, as this client shows it. */
import { abilitiesOf, type ValueOf, type x1Models } from '../../tl/index.ts'
import type { EvidenceLabel } from '../../transport/index.ts'
import type { ModelOffer } from './inference.ts'

const LABELS: readonly EvidenceLabel[] = ['verified', 'simulated', 'none']

export const offersFrom = ({ models }: Pick<ValueOf<typeof x1Models>, 'models'>): readonly ModelOffer[] =>
  models.map(({ name: id, workers }) => ({
    id,
    workers: workers.map((w) => ({
      coefficient: w.coefficient,
      runningRequests: w.activeRequests,
      maxRunningRequests: w.maxActiveRequests,
      // A word that is none of ours proves nothing.
      evidence: LABELS.find((label) => label === w.evidence) ?? 'none',
      ...(w.abilities === undefined ? {} : { abilities: abilitiesOf(w.abilities) }),
    })),
  }))
