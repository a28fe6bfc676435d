/** Asks a client node without pause over several connections, and judges how each request ended. */
import { answerTo, questionOf } from './questions.ts'

export type Ending =
  /** Complete and right. */
  | 'answered'
  /** Refused or failed before anything was delivered. */
  | 'failed'
  /** An error event after a part of the answer. */
  | 'cut'
  /** Not over after the longest time that anything may take. */
  | 'hung'
  /** Ended without terminator and without error. */
  | 'silent'
  /** Another answer than the question's, or words twice or missing. */
  | 'wrong'

export interface Asked {
  readonly ending: Ending
  /** Error code, or what was wrong. */
  readonly why: string
  readonly ms: number
}

/** Above the request's own timeout: whatever happens, an end must have come by then. */
const HUNG_AFTER_MS = 45_000
const TIMEOUT_S = 30

export async function askOnce(url: string, number: number, stream: boolean, model: string): Promise<Asked> {
  const start = performance.now()
  const over = (ending: Ending, why = ''): Asked => ({ ending, why, ms: performance.now() - start })
  const expected = answerTo(questionOf(number)).join('')
  const body = {
    model,
    messages: [{ role: 'user', content: questionOf(number) }],
    max_tokens: 64,
    timeout: TIMEOUT_S,
    ...(stream ? { stream } : {}),
  }
  const signal = AbortSignal.timeout(HUNG_AFTER_MS)
  let delivered = ''
  try {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal,
    })
    const text = await response.text()
    if (response.status !== 200) return over('failed', codeIn(text))
    if (!stream) {
      const { choices } = JSON.parse(text) as { choices: readonly { message: { content: string } }[] }
      const [choice] = choices
      return choice?.message.content === expected ? over('answered') : over('wrong', text)
    }
    const events = text.split('\n\n').filter((event) => event.startsWith('data: '))
    let error = ''
    for (const event of events.map((line) => line.slice('data: '.length))) {
      if (event === '[DONE]') continue
      const parsed = JSON.parse(event) as {
        readonly error?: unknown
        readonly choices?: readonly { readonly delta?: { readonly content?: string } }[]
      }
      if (parsed.error !== undefined) error = codeIn(event)
      delivered += parsed.choices?.[0]?.delta?.content ?? ''
    }
    if (!expected.startsWith(delivered)) return over('wrong', delivered)
    if (error !== '') return over(delivered === '' ? 'failed' : 'cut', error)
    if (events.at(-1) !== 'data: [DONE]') return over('silent', delivered)
    return delivered === expected ? over('answered') : over('wrong', delivered)
  } catch (error) {
    return over(signal.aborted ? 'hung' : 'silent', (error as Error).message)
  }
}

function codeIn(text: string): string {
  try {
    return (JSON.parse(text) as { readonly error: { readonly code: string } }).error.code
  } catch {
    return text.slice(0, 200)
  }
}
