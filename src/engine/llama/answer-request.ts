/** Carries out a checked request: its answers on as many places as are free, whole or as a stream. */
import type { FastifyReply } from 'fastify'
import { CocoonError, type Log } from '../../util/index.ts'
import { type AnswerHead, chunk, collector, deltaOf, usageOf } from './answers.ts'
import type { SamplingRequest } from './contract.ts'
import { errorAnswer } from '../embedded/errors.ts'
import { type EventStream, eventStream } from '../embedded/event-stream.ts'
import { CallerLeft, report } from '../embedded/shell.ts'
import { type AnswerEnd, type AnswerPlan, generateAnswer, type OutputPiece } from './generate.ts'
import type { Runtime } from './runtime.ts'

export interface RunDeps {
  readonly runtime: Runtime
  readonly log: Log
  readonly newId: (prefix: string) => string
  /** Aborted when the caller leaves or the server closes. */
  readonly enter: (reply: FastifyReply) => AbortSignal
}

/** Shapes of the two kinds of answer. */
export interface Kind {
  readonly object: string
  readonly chunkObject: string
  readonly choice: (collected: ReturnType<typeof collector>, index: number, finish: string) => unknown
  readonly opening: ((index: number) => unknown) | undefined
  readonly piece: (piece: OutputPiece, index: number, newCallId: () => string) => unknown
  readonly ending: (index: number, finish: string) => unknown
}

export const CHAT: Kind = {
  object: 'chat.completion',
  chunkObject: 'chat.completion.chunk',
  choice: (collected, index, finish) => ({
    index,
    message: collected.message(),
    logprobs: null,
    finish_reason: finish,
  }),
  opening: (index) => ({ index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }),
  piece: (piece, index, newCallId) => ({
    index,
    delta: deltaOf(piece, newCallId),
    logprobs: null,
    finish_reason: null,
  }),
  ending: (index, finish) => ({ index, delta: {}, logprobs: null, finish_reason: finish }),
}

export const COMPLETION: Kind = {
  object: 'text_completion',
  chunkObject: 'text_completion',
  choice: (collected, index, finish) => ({ index, text: collected.text(), logprobs: null, finish_reason: finish }),
  opening: undefined,
  piece: (piece, index) => ({
    index,
    text: piece.type === 'content' ? piece.text : '',
    logprobs: null,
    finish_reason: null,
  }),
  ending: (index, finish) => ({ index, text: '', logprobs: null, finish_reason: finish }),
}

/** Every prompt `n` times, as many at once as there are places; whole or streamed. */
export async function answer(
  deps: RunDeps,
  reply: FastifyReply,
  body: SamplingRequest,
  plans: readonly AnswerPlan[],
  kind: Kind,
  head: AnswerHead,
) {
  const n = body.n ?? 1
  const jobs = plans.flatMap((plan) =>
    // Choices of one prompt differ by their seeds, which all follow from the request's.
    Array.from({ length: n }, (_, i) => ({
      ...plan,
      sampling: { ...plan.sampling, seed: plan.sampling.seed + i * SEED_STEP },
    })),
  )
  deps.runtime.slots.admit(jobs.length)
  const signal = deps.enter(reply)
  const newCallId = (): string => deps.newId('call_')
  const run = (emit: (index: number, piece: OutputPiece) => void) =>
    runAll(deps, jobs, body.cache_salt ?? '', emit, signal)

  if (body.stream !== true) {
    const collected = jobs.map(() => collector(newCallId))
    const ends = await run((index, piece) => collected[index]?.add(piece))
    const choices = ends.map((end, i) => kind.choice(collected[i] as ReturnType<typeof collector>, i, end.finish))
    return { ...chunk(kind.object, head, choices, usageOf(ends, n)), system_fingerprint: null }
  }

  const withUsage = body.stream_options?.include_usage === true
  const usage = withUsage ? null : undefined
  reply.hijack()
  const events = eventStream(reply.raw)
  const send = (choice: unknown) => events.send(chunk(kind.chunkObject, head, [choice], usage))
  try {
    if (kind.opening !== undefined) for (const i of jobs.keys()) send(kind.opening(i))
    const ends = await run((index, piece) => send(kind.piece(piece, index, newCallId)))
    for (const [i, end] of ends.entries()) send(kind.ending(i, end.finish))
    if (withUsage) events.send(chunk(kind.chunkObject, head, [], usageOf(ends, n)))
    events.done()
  } catch (error) {
    failStream(deps, reply, events, error)
  }
  return reply
}

/** Seeds of sibling choices stay apart even though each answer may step its own by its length. */
const SEED_STEP = 1_000_003

async function runAll(
  deps: RunDeps,
  jobs: readonly AnswerPlan[],
  salt: string,
  emit: (index: number, piece: OutputPiece) => void,
  signal: AbortSignal,
): Promise<readonly AnswerEnd[]> {
  // When one fails the others have no reader any more.
  const failed = new AbortController()
  const both = AbortSignal.any([signal, failed.signal])
  const results = await Promise.allSettled(
    jobs.map((plan, index) =>
      runOne(deps.runtime, plan, salt, (piece) => emit(index, piece), both).catch((error: unknown) => {
        failed.abort(error)
        throw error
      }),
    ),
  )
  const first = results.find((result) => result.status === 'rejected')
  if (first !== undefined) throw failed.signal.reason as Error
  return results.map((result) => (result as PromiseFulfilledResult<AnswerEnd>).value)
}

async function runOne(
  runtime: Runtime,
  plan: AnswerPlan,
  salt: string,
  emit: (piece: OutputPiece) => void,
  signal: AbortSignal,
): Promise<AnswerEnd> {
  const slot = await runtime.slots.acquire(plan.promptTokens, salt, signal)
  try {
    if (slot.salt !== salt) {
      await slot.sequence.clearHistory()
      slot.salt = salt
    }
    return await generateAnswer(runtime, slot.sequence, plan, emit, signal)
  } catch (error) {
    if (signal.aborted || error instanceof CocoonError) throw error
    // After a failure nobody knows what the sequence holds.
    await slot.sequence.clearHistory().catch(() => undefined)
    throw new CocoonError('engine.generation-failed', {}, { cause: error })
  } finally {
    runtime.slots.release(slot)
  }
}

function failStream(deps: RunDeps, reply: FastifyReply, events: EventStream, error: unknown): void {
  if (error instanceof CallerLeft) return
  report(deps.log, error)
  if (events.started) {
    events.fail(error)
    return
  }
  const { status, headers, body } = errorAnswer(error)
  reply.raw.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
