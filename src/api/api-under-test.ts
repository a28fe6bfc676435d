/** Test support: a client API over a scripted inference. */
import { type Clock, type Log, noMetrics, seededRandom, silentLog, systemClock } from '../util/index.ts'
import type { Ops } from './ops.ts'
import { clientApiOptions } from './options.ts'
import { type ScriptedCall, type ScriptedInference, scriptedInference } from './scripted-inference.ts'
import { type ClientApi, type ClientApiDeps, createClientApi } from './server.ts'

export const quietOps: Ops = {
  ready: () => [],
  status: () => ({ role: 'client' }),
  jsonstats: () => ({}),
  metricsText: () => Promise.resolve(''),
}

export interface ApiUnderTest extends ClientApi {
  readonly inference: ScriptedInference
}

export function apiUnderTest(
  setup: {
    readonly script?: (call: ScriptedCall) => unknown
    readonly options?: Readonly<Record<string, unknown>>
    readonly deps?: Partial<ClientApiDeps>
    readonly clock?: Clock
    readonly log?: Log
  } = {},
): ApiUnderTest {
  const inference = scriptedInference(setup.script)
  const deps: ClientApiDeps = {
    inference,
    ops: quietOps,
    clock: setup.clock ?? systemClock,
    random: seededRandom(1),
    log: setup.log ?? silentLog,
    metrics: noMetrics,
    ...setup.deps,
  }
  return { ...createClientApi(deps, clientApiOptions.parse({ port: 0, ...setup.options })), inference }
}

export const CHAT = '/v1/chat/completions'
export const HELLO = { model: 'test/model', messages: [{ role: 'user', content: 'hello' }] }

/** One event of a stream of chat completion chunks. */
export const chunk = (content: string): string =>
  `data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'test/model', choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`

export const DONE = 'data: [DONE]\n\n'

export const COMPLETION = JSON.stringify({
  id: 'c1',
  object: 'chat.completion',
  created: 1,
  model: 'test/model',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 34, completion_tokens: 100, total_tokens: 134, total_cost: 268 },
})
