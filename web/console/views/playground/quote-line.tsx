/** The most that the next question can cost: asked of the node when the person has stopped writing. */
import { useEffect, useState } from 'preact/hooks'
import { useNode } from '../../node/session.ts'
import type { Quote } from '../../node/shapes.ts'
import { formatMoney } from '../../parts/format.ts'
import { mendOf, Refusal } from '../../node/refusal.ts'

const AFTER_MS = 400

export interface QuoteLineProps {
  /** Null: nothing to ask yet. */
  readonly body: Readonly<Record<string, unknown>> | null
  readonly apiKey: string
}

export function QuoteLine({ body, apiKey }: QuoteLineProps) {
  const node = useNode()
  const [text, setText] = useState('')
  const question = body === null ? '' : JSON.stringify(body)
  useEffect(() => {
    if (question === '') return setText('')
    const stop = new AbortController()
    const timer = setTimeout(() => {
      const call = { body: JSON.parse(question) as object, signal: stop.signal }
      node.askJson<Quote>('/v1/quote/chat/completions', apiKey, call).then(
        (quote) => setText(`Can cost at most ${formatMoney(quote.max_cost_nano, quote.max_cost_fiat)}.`),
        (error: unknown) => void (stop.signal.aborted || setText(whyNot(error))),
      )
    }, AFTER_MS)
    return () => {
      clearTimeout(timer)
      stop.abort()
    }
  }, [node, question, apiKey])
  return (
    <p class="hint quote" role="status">
      {text}
    </p>
  )
}

function whyNot(error: unknown): string {
  if (!(error instanceof Refusal)) return String(error)
  const mend = mendOf(error.code)
  return `No price: ${error.message}${mend === null ? '' : ` ${mend.text}`}`
}
