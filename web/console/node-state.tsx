/** Whether the node can do its work, and if not, why: looked at again and again. */
import { useFetched } from './node/fetched.ts'
import { Refusal } from './node/refusal.ts'
import { useNode } from './node/session.ts'

const EVERY_MS = 10_000

export function NodeState() {
  const node = useNode()
  const { value: reasons, error } = useFetched('readiness', (signal) => node.readiness(signal), { everyMs: EVERY_MS })
  if (error !== null)
    return (
      <p class="state bad" role="status">
        {error instanceof Refusal ? 'The node does not answer' : String(error)}
      </p>
    )
  if (reasons === null) return <p class="state" role="status" />
  return reasons.length === 0 ? (
    <p class="state good" role="status">
      Ready
    </p>
  ) : (
    <p class="state odd" role="status">
      Not ready: {reasons.join(' ')}
    </p>
  )
}
