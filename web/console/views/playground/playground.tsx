/** A conversation with a model, answered while it is written, with what each answer cost and what the proxy proved. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { useFetched } from '../../node/fetched.ts'
import { useNode } from '../../node/session.ts'
import { answersChat, type List, type Model } from '../../node/shapes.ts'
import { Complaint } from '../../parts/complaint.tsx'
import { CopyButton } from '../../parts/copied.tsx'
import { Choice, Field } from '../../parts/field.tsx'
import { formatCount } from '../../parts/format.ts'
import { AnsweredTurn } from './answered-turn.tsx'
import { CallerKey, keptCallerKey } from './caller-key.tsx'
import { asCurl, chatBody, PARAMETERS, type Parameters, type Turn } from './chat-request.ts'
import { ParameterFields } from './parameter-fields.tsx'
import { QuoteLine } from './quote-line.tsx'
import { type Answer, NO_ANSWER, runChat } from './run-chat.ts'

export interface PlaygroundProps {
  /** Where the address names one. */
  readonly model: string
  readonly isShown: boolean
}

/** A question and its answer. */
interface Exchange {
  readonly question: string
  readonly model: string
  readonly answer: Answer
}

const MODELS_EVERY_MS = 15_000

export function Playground({ model: named, isShown }: PlaygroundProps) {
  const node = useNode()
  const [apiKey, setApiKey] = useState(keptCallerKey)
  const [model, setModel] = useState('')
  const [parameters, setParameters] = useState<Parameters>(PARAMETERS)
  const [question, setQuestion] = useState('')
  const [exchanges, setExchanges] = useState<readonly Exchange[]>([])
  const running = useRef<AbortController | null>(null)
  const [isRunning, setRunning] = useState(false)
  const everyMs = isShown ? MODELS_EVERY_MS : undefined
  const models = useFetched(
    `models ${apiKey}`,
    (signal) => node.askJson<List<Model>>('/v1/models', apiKey, { signal }),
    { everyMs },
  )
  // What is known to answer no chat is no choice here.
  const offered = (models.value?.data ?? []).filter(answersChat)
  useEffect(() => setModel((before) => (named !== '' ? named : before)), [named])
  const chosen = model !== '' || offered[0] === undefined ? model : offered[0].id
  useEffect(() => () => running.current?.abort(), [])

  const body = chatBody(chosen, [...turnsOf(exchanges), { role: 'user', content: question }], parameters)
  const canAsk = chosen !== '' && question.trim() !== '' && !isRunning

  const ask = useCallback(
    async (before: readonly Exchange[], asked: string) => {
      const stop = new AbortController()
      running.current = stop
      setRunning(true)
      const show = (answer: Answer): void => setExchanges([...before, { question: asked, model: chosen, answer }])
      show(NO_ANSWER)
      // Pieces come faster than anybody reads: they are drawn once a frame.
      let newest = NO_ANSWER
      let frame: number | null = null
      const showSoon = (answer: Answer): void => {
        newest = answer
        frame ??= requestAnimationFrame(() => {
          frame = null
          show(newest)
        })
      }
      const turns: readonly Turn[] = [...turnsOf(before), { role: 'user', content: asked }]
      const body = chatBody(chosen, turns, parameters)
      const last = await runChat(node, { body, key: apiKey, signal: stop.signal, show: showSoon })
      if (frame !== null) cancelAnimationFrame(frame)
      show(last)
      setRunning(false)
    },
    [node, chosen, parameters, apiKey],
  )
  function submit(): void {
    if (!canAsk) return
    void ask(exchanges, question)
    setQuestion('')
  }
  const last = exchanges.at(-1)

  return (
    <div class="playground">
      <section class="conversation" aria-label="Conversation">
        {exchanges.map((exchange, i) => (
          <AnsweredTurn key={i} question={exchange.question} model={exchange.model} answer={exchange.answer} />
        ))}
        <form
          onSubmit={(event) => {
            event.preventDefault()
            submit()
          }}
        >
          <Field label="Question" isWide>
            <textarea
              rows={4}
              value={question}
              onInput={(event) => setQuestion(event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit()
              }}
            />
          </Field>
          <QuoteLine body={question.trim() === '' || chosen === '' ? null : body} apiKey={apiKey} />
          <div class="row">
            <button type="submit" class="main" disabled={!canAsk}>
              Ask
            </button>
            <button type="button" disabled={!isRunning} onClick={() => running.current?.abort()}>
              Stop
            </button>
            <button
              type="button"
              disabled={isRunning || last === undefined}
              onClick={() => last !== undefined && void ask(exchanges.slice(0, -1), last.question)}
            >
              Ask again
            </button>
            <button type="button" disabled={isRunning || last === undefined} onClick={() => setExchanges([])}>
              Start over
            </button>
            <span class="hint">Ctrl + Enter asks.</span>
          </div>
        </form>
      </section>
      <section class="parameters" aria-label="Parameters">
        <Field label="Model" hint={aboutModel(offered.find(({ id }) => id === chosen))}>
          <Choice value={chosen} onChange={setModel} options={optionsOf(offered, chosen)} />
        </Field>
        <Complaint error={models.error} />
        {models.value !== null && offered.length === 0 && (
          <p class="hint">No worker offers a model at the moment. This looks again by itself.</p>
        )}
        <CallerKey onChange={setApiKey} />
        <ParameterFields value={parameters} onChange={setParameters} />
        <AsCommand body={body} />
      </section>
    </div>
  )
}

/** Written only while somebody looks at it. */
function AsCommand({ body }: { readonly body: Readonly<Record<string, unknown>> }) {
  const [isOpen, setOpen] = useState(false)
  const command = isOpen ? asCurl(location.origin, body) : ''
  return (
    <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>As a command</summary>
      <pre tabIndex={0}>{command}</pre>
      <CopyButton text={command} what="the command" />
    </details>
  )
}

/** `8 192 tokens of context; chat, tools` */
function aboutModel(model: Model | undefined): string | undefined {
  const { context_length: length = null, capabilities = null } = model ?? {}
  const context = length === null ? [] : [`${formatCount(length)} tokens of context`]
  const can = capabilities === null || capabilities.length === 0 ? [] : [capabilities.join(', ')]
  return [...context, ...can].join('; ') || undefined
}

/** What was answered, in part or in whole, goes along with the next question. */
function turnsOf(exchanges: readonly Exchange[]): readonly Turn[] {
  return exchanges.flatMap(({ question, answer }): Turn[] =>
    answer.content === ''
      ? []
      : [
          { role: 'user', content: question },
          { role: 'assistant', content: answer.content },
        ],
  )
}

/** One that was named stays in the list while no worker offers it. */
function optionsOf(offered: readonly Model[], chosen: string): (readonly [value: string, text: string])[] {
  const known = offered.map(
    ({ id, load }) => [id, load === null ? id : `${id} · ${Math.round(load * 100)} % busy`] as const,
  )
  if (chosen === '') return [['', 'none']]
  return known.some(([id]) => id === chosen) ? known : [[chosen, `${chosen} · not on offer`], ...known]
}
