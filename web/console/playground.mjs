/** One question to a model, answered while it is written, with what it cost and what the proxy proved. */
import { callerKey } from './caller-key.mjs'
import { action, element, field } from './element.mjs'
import { eventsOf } from './event-stream.mjs'
import { api } from './node-api.mjs'

/**
 * @param {HTMLElement} view
 * @param {(error: unknown) => void} complain
 */
export async function showPlayground(view, complain) {
  const key = callerKey()
  const model = element('select')
  const question = element('textarea', { rows: 5 })
  const maxTokens = element('input', { type: 'number', min: 1, value: 256 })
  const maxCost = element('input', { placeholder: '0.01 TON' })
  const answer = element('div', { class: 'answer', 'aria-live': 'polite' })
  const facts = element('dl', { class: 'facts' })
  const price = element('p', { class: 'quote', 'aria-live': 'polite' })
  /** @type {AbortController | null} */
  let running = null

  const body = () => ({
    model: model.value,
    messages: [{ role: 'user', content: question.value }],
    max_tokens: Number(maxTokens.value),
    ...(maxCost.value.trim() === '' ? {} : { max_cost: maxCost.value.trim() }),
  })
  const loadModels = async () => {
    const { data } = await (await api('/v1/models', { key: key.value() })).json()
    model.replaceChildren(
      ...data.map((/** @type {{ id: string }} */ one) => element('option', { value: one.id }, one.id)),
    )
  }
  const quote = async () => {
    const reply = await api('/v1/quote/chat/completions', { key: key.value(), body: body() })
    const { max_cost_ton: ton, max_cost_fiat: fiat } = await reply.json()
    price.textContent = `This can cost at most ${ton} TON${fiat === undefined ? '' : ` (${fiat})`}.`
  }
  const ask = async () => {
    running = new AbortController()
    stop.disabled = false
    answer.textContent = ''
    facts.replaceChildren()
    const startMs = performance.now()
    try {
      const request = { ...body(), stream: true, stream_options: { include_usage: true } }
      const reply = await api('/v1/chat/completions', { key: key.value(), body: request, signal: running.signal })
      showHead(facts, reply)
      await showStream(reply, answer, facts, startMs)
    } catch (error) {
      if (!running.signal.aborted) throw error
      fact(facts, 'Result', 'cancelled')
    } finally {
      stop.disabled = true
    }
  }
  const stop = element('button', { type: 'button', onclick: () => running?.abort() }, 'Stop')
  stop.disabled = true

  view.append(
    key.field,
    field('Model', model),
    field('Question', question),
    element('div', { class: 'row' }, field('Longest answer, in tokens', maxTokens), field('Most it may cost', maxCost)),
    element('div', { class: 'row' }, action('Ask', ask, complain), action('Quote', quote, complain), stop),
    price,
    answer,
    facts,
  )
  key.onChange(loadModels, complain)
  await loadModels()
}

/**
 * @param {HTMLElement} facts
 * @param {string} name
 * @param {string} value
 */
function fact(facts, name, value) {
  facts.append(element('dt', {}, name), element('dd', {}, value))
}

/**
 * @param {HTMLElement} facts
 * @param {Response} reply
 */
function showHead(facts, reply) {
  const evidence = reply.headers.get('x-cocoon-evidence') ?? 'none'
  fact(facts, 'Evidence of the proxy', evidence)
  fact(facts, 'Proxy', reply.headers.get('x-cocoon-proxy') ?? 'not told')
  fact(facts, 'Reserved', `${reply.headers.get('x-cocoon-max-cost-nano') ?? '?'} nanoTON`)
  fact(facts, 'Request', reply.headers.get('x-request-id') ?? '')
}

/**
 * @param {Response} reply
 * @param {HTMLElement} answer
 * @param {HTMLElement} facts
 * @param {number} startMs
 */
async function showStream(reply, answer, facts, startMs) {
  let firstMs = 0
  for await (const event of eventsOf(reply)) {
    if (event.error !== undefined) throw new Error(event.error.message)
    const delta = event.choices?.[0]?.delta
    const piece = delta?.content ?? ''
    if (piece !== '' && firstMs === 0) firstMs = performance.now() - startMs
    answer.append(piece)
    if (event.usage) {
      const { prompt_tokens: prompt, completion_tokens: completion, total_cost: cost } = event.usage
      fact(facts, 'Tokens', `${prompt} read, ${completion} written`)
      fact(facts, 'Cost', `${cost} nanoTON`)
    }
  }
  fact(facts, 'First words after', `${Math.round(firstMs)} ms`)
  fact(facts, 'All after', `${Math.round(performance.now() - startMs)} ms`)
}
