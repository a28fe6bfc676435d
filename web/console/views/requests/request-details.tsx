/** All that a receipt knows of one request: its course, who had it, tokens, money. */
import type { ComponentChildren } from 'preact'
import { mendOf } from '../../node/refusal.ts'
import { type Receipt, TOKEN_CLASSES } from '../../node/shapes.ts'
import { Copied } from '../../parts/copied.tsx'
import { formatAmount, formatCount, formatMoney, formatMs } from '../../parts/format.ts'
import { momentsOf } from './timeline.ts'

export function RequestDetails({ receipt }: { readonly receipt: Receipt }) {
  const mend = receipt.code === null ? null : mendOf(receipt.code)
  return (
    <div class="request">
      <section aria-label="Timeline">
        <h2>Timeline</h2>
        <ol class="moments">
          {momentsOf(receipt).map(({ atMs, kind, text }, i) => (
            <li key={i} class={kind}>
              <span class="at">{formatMs(atMs)}</span> <span>{text}</span>
            </li>
          ))}
        </ol>
        {mend !== null && (
          <p>
            {mend.text} {mend.href !== undefined && <a href={mend.href}>Go there</a>}
          </p>
        )}
      </section>
      <dl class="facts">
        {factsOf(receipt).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

function factsOf(receipt: Receipt): readonly (readonly [name: string, value: ComponentChildren])[] {
  const tokens = TOKEN_CLASSES.map((kind) => [kind, receipt[`${kind}_tokens`]] as const).filter(
    ([, count]) => count !== '0',
  )
  const facts: (readonly [string, ComponentChildren] | null)[] = [
    ['Request', <Copied key="request" text={receipt.request} what="the request’s id" />],
    ['Ended', receipt.ended_at.replace('T', ' ').replace('Z', ' UTC')],
    ['Asked', receipt.path],
    ['Project', receipt.project],
    receipt.status === null ? null : ['Status of the answer', receipt.status],
    receipt.code === null ? null : ['Reason', <code key="code">{receipt.code}</code>],
    receipt.queued_ms === null ? null : ['Waited for a worker', formatMs(receipt.queued_ms)],
    ['Attempts', formatCount(receipt.attempts)],
    receipt.proxy === null ? null : ['Proxy', receipt.proxy],
    receipt.worker === null ? null : ['Worker', receipt.worker],
    receipt.evidence === null ? null : ['Evidence of the proxy', receipt.evidence],
    ['Tokens', tokens.map(([kind, count]) => `${formatCount(count)} ${kind}`).join(', ') || 'none'],
    ['Cost', formatMoney(receipt.cost_nano, receipt.cost_fiat)],
    receipt.unsettled_nano === '0' ? null : ['Unsettled', `up to ${formatAmount(receipt.unsettled_nano)} besides`],
    ['Was reserved', formatAmount(receipt.max_cost_nano)],
  ]
  return facts.filter((fact) => fact !== null)
}
