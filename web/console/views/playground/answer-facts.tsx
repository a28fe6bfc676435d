/** Beneath an answer: who gave it, what was proven, what it cost, how long it took. */
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { NodeApi } from '../../node/node-api.ts'
import { useNode } from '../../node/session.ts'
import type { Receipt, ReceiptPage } from '../../node/shapes.ts'
import { formatAmount, formatCount, formatMoney, formatMs, shortAddress, shortId } from '../../parts/format.ts'
import type { Answer } from './run-chat.ts'

/** Receipts are on the disk a moment after the answer; one that was stopped is settled when the proxy has told its price. */
const RECEIPT_TRIES = 20
const RECEIPT_EVERY_MS = 250

export function AnswerFacts({ answer }: { readonly answer: Answer }) {
  const node = useNode()
  const [receipt, setReceipt] = useState<Receipt | null>(null)
  const { request, state } = answer
  const isOver = state === 'done' || state === 'stopped' || state === 'failed'
  useEffect(() => {
    if (!isOver || request === null) return
    const stop = new AbortController()
    void findReceipt(node, request, stop.signal).then(
      (found) => setReceipt(found),
      // The facts of the answer itself stay; the list of requests says what is wrong.
      () => undefined,
    )
    return () => stop.abort()
  }, [node, request, isOver])
  const facts = factsOf(answer, receipt)
  if (facts.length === 0) return null
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

type Fact = readonly [name: string, value: ComponentChildren]

function factsOf(answer: Answer, receipt: Receipt | null): readonly Fact[] {
  const { usage, firstTokenMs, durationMs, request } = answer
  const facts: (Fact | null)[] = [
    answer.evidence === null ? null : ['Evidence of the proxy', answer.evidence],
    answer.proxy === null ? null : ['Proxy', answer.proxy],
    receipt === null || receipt.worker === null
      ? null
      : [
          'Worker',
          <span key="worker" title={receipt.worker}>
            {shortAddress(receipt.worker)}
          </span>,
        ],
    receipt === null || receipt.attempts === 0 ? null : ['Attempts', formatCount(receipt.attempts)],
    costOf(answer, receipt),
    answer.reservedNano === null ? null : ['Was reserved', formatAmount(answer.reservedNano)],
    usage === null ? null : ['Tokens', tokensOf(usage)],
    firstTokenMs === null ? null : ['First token after', formatMs(firstTokenMs)],
    durationMs === null ? null : ['All after', `${formatMs(durationMs)}${speedOf(answer)}`],
    answer.finishReason === null ? null : ['Ended because', FINISH_REASONS[answer.finishReason] ?? answer.finishReason],
    request === null
      ? null
      : [
          'Request',
          <a key="request" href={`#/requests/${request}`} title={request}>
            {shortId(request)}
          </a>,
        ],
  ]
  return facts.filter((fact) => fact !== null)
}

const FINISH_REASONS: Readonly<Record<string, string>> = {
  stop: 'the model had finished',
  length: 'the longest answer was reached',
  tool_calls: 'the model asks for a tool',
  content_filter: 'the engine’s filter',
}

function costOf(answer: Answer, receipt: Receipt | null): Fact | null {
  if (receipt !== null) {
    const open = receipt.unsettled_nano === '0' ? '' : `, and up to ${formatAmount(receipt.unsettled_nano)} unsettled`
    return ['Cost', `${formatMoney(receipt.cost_nano, receipt.cost_fiat)}${open}`]
  }
  const cost = answer.usage?.total_cost
  return cost === undefined ? null : ['Cost', formatAmount(String(cost))]
}

function tokensOf(usage: NonNullable<Answer['usage']>): string {
  const cached = usage.prompt_tokens_details?.cached_tokens ?? 0
  const reasoning = usage.completion_tokens_details?.reasoning_tokens ?? 0
  const read = `${formatCount(usage.prompt_tokens)} read${cached === 0 ? '' : ` (${formatCount(cached)} cached)`}`
  const thought = reasoning === 0 ? '' : ` (${formatCount(reasoning)} reasoning)`
  return `${read}, ${formatCount(usage.completion_tokens)} written${thought}`
}

function speedOf({ usage, firstTokenMs, durationMs }: Answer): string {
  if (usage === null || firstTokenMs === null || durationMs === null || durationMs - firstTokenMs < 50) return ''
  return `, ${((usage.completion_tokens * 1_000) / (durationMs - firstTokenMs)).toFixed(1)} tokens/s`
}

async function findReceipt(node: NodeApi, request: string, signal: AbortSignal): Promise<Receipt | null> {
  for (let tries = 0; tries < RECEIPT_TRIES && !signal.aborted; tries++) {
    const { data } = await node.admin<ReceiptPage>(`/receipts?request=${encodeURIComponent(request)}`, { signal })
    if (data[0] !== undefined) return data[0]
    await new Promise((resolve) => setTimeout(resolve, RECEIPT_EVERY_MS))
  }
  return null
}
