/** How lines of batches run: as requests of the live endpoint do, with the same checks, accounts and errors, into memory. */
import { type LineAnswer, type LineDesk, NO_USAGE, type PreparedLine, type TokenUsage } from '../batch/index.ts'
import type { Charge, Inference, RunningInference } from '../roles/client/index.ts'
import { type Clock, type CocoonError, fromHex, type Log, toCocoonError } from '../util/index.ts'
import { Answer, type AnswerLimits, type AnswerOutlet, valueOf } from './answer.ts'
import { prepareBatchLine, readBatchLine } from './batch-line.ts'
import type { PreparedInference, RequestDefaults } from './caller.ts'
import { apiError, toErrorBody, toHttpError } from './errors.ts'
import { parseObject } from './prepare.ts'

export interface BatchDeskDeps {
  /** The metered one: lines are let through, and leave receipts, like any request. */
  readonly inference: Inference
  readonly clock: Clock
  readonly log: Log
}

export interface BatchDeskOptions {
  readonly maxBodyBytes: number
  readonly limits: AnswerLimits
  readonly defaults: RequestDefaults
}

/** What surrounds a body in its line. */
const LINE_HEAD_BYTES = 4096

export function createBatchDesk(deps: BatchDeskDeps, options: BatchDeskOptions): LineDesk {
  const { defaults } = options
  return {
    maxLineBytes: options.maxBodyBytes + LINE_HEAD_BYTES,
    read(line, endpoint) {
      const read = readBatchLine(line, endpoint)
      const { model } = prepareBatchLine(read, endpoint, { traceId: '', caller: '', defaults })
      return { customId: read.customId, model }
    },
    prepare(line, { endpoint, caller, maxCoefficient, proxies }, request) {
      let prepared: PreparedInference
      try {
        const own = { ...defaults, maxCoefficient: Math.min(maxCoefficient, defaults.maxCoefficient) }
        const asked = prepareBatchLine(readBatchLine(line, endpoint), endpoint, {
          traceId: request,
          caller,
          defaults: own,
        })
        prepared = {
          ...asked,
          maxCoefficient: Math.min(maxCoefficient, asked.maxCoefficient),
          ...(proxies === null ? {} : { recall: { name: fromHex(request), proxies } }),
        }
      } catch (thrown) {
        // It was right when the batch began; the node's limits may have changed since.
        return refusedLine(toCocoonError(thrown))
      }
      const { maxCostNano } = deps.inference.quote(prepared)
      return { model: prepared.model, maxCostNano, run: (ended) => run(prepared, maxCostNano, ended, deps, options) }
    },
  }
}

function refusedLine(error: CocoonError): PreparedLine {
  const answer = refusal(error, { costNano: 0n, unsettledNano: 0n })
  return { model: '', maxCostNano: 0n, run: () => ({ answer: Promise.resolve(answer), cancel() {} }) }
}

function refusal(error: CocoonError, cost: LineAnswer['cost']): LineAnswer {
  const { status, body } = toHttpError(error)
  return { status, body: Buffer.from(JSON.stringify(body)), error, retryAfterMs: null, cost, usage: NO_USAGE }
}

function run(
  request: PreparedInference,
  maxCostNano: bigint,
  ended: () => void,
  deps: BatchDeskDeps,
  { limits }: BatchDeskOptions,
): ReturnType<PreparedLine['run']> {
  let running: RunningInference | undefined
  let error: CocoonError | null = null
  const inference: Inference = {
    models: (signal) => deps.inference.models(signal),
    quote: (asked) => deps.inference.quote(asked),
    run(asked, sink) {
      running = deps.inference.run(asked, {
        head: (head) => sink.head(head),
        part: (bytes) => sink.part(bytes),
        end: (info) => sink.end(info),
        fail(why, info) {
          error = why
          sink.fail(why, info)
        },
      })
      return running
    },
  }
  const { promise, resolve } = Promise.withResolvers<Collected>()
  const done = (collected: Collected): void => {
    ended()
    resolve(collected)
  }
  const answer = new Answer(collect(done), request, [], { ...deps, inference, limits, firstByte: () => undefined })
  answer.run()
  return {
    answer: promise.then(async (collected): Promise<LineAnswer> => {
      const cost = costOf((await running?.charge()) ?? 'nothing', maxCostNano)
      return judgeBody(collected, error, cost)
    }),
    cancel: () => answer.hungUp(),
  }
}

interface Collected {
  readonly status: number
  readonly headers: readonly string[]
  /** Null when there is none that could be kept. */
  readonly body: Uint8Array | null
}

const NOT_WHOLE: Collected = { status: 502, headers: [], body: null }

/** A whole answer in memory. One that comes in pieces is above the limit, or no answer to what was asked. */
const collect = (done: (collected: Collected) => void): AnswerOutlet => ({
  undelivered: 0,
  begin() {},
  write() {},
  end: () => done(NOT_WHOLE),
  send: (status, headers, body) => done({ status, headers, body }),
  abort: () => done(NOT_WHOLE),
})

function judgeBody(
  { status, headers, body }: Collected,
  error: CocoonError | null,
  cost: LineAnswer['cost'],
): LineAnswer {
  const json = body === null ? undefined : jsonOf(body)
  if (body !== null && json !== undefined) {
    const retryAfterMs = Number(valueOf(headers, 'retry-after') ?? Number.NaN) * 1000
    return {
      status,
      body,
      error,
      retryAfterMs: Number.isFinite(retryAfterMs) ? retryAfterMs : null,
      cost,
      usage: status < 300 ? usageOf(json) : NO_USAGE,
    }
  }
  if (error !== null) return refusal(error, cost)
  if (body !== null && status >= 400) {
    const { error: failure } = toErrorBody(apiError('engine.bad-answer'))
    const message = `The engine answered with status ${status}.`
    return {
      status,
      body: Buffer.from(JSON.stringify({ error: { ...failure, message } })),
      error,
      retryAfterMs: null,
      cost,
      usage: NO_USAGE,
    }
  }
  return refusal(apiError('engine.bad-answer'), cost)
}

function jsonOf(body: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    return parseObject(body)
  } catch {
    return undefined
  }
}

function costOf(charge: Charge, maxCostNano: bigint): LineAnswer['cost'] {
  if (charge === 'nothing') return { costNano: 0n, unsettledNano: 0n }
  return charge === 'unknown'
    ? { costNano: 0n, unsettledNano: maxCostNano }
    : { costNano: charge.costNano, unsettledNano: 0n }
}

/** As chat completions count, or as responses do. */
function usageOf({ usage }: Readonly<Record<string, unknown>>): TokenUsage {
  const of = (value: unknown, name: string): unknown =>
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
  const count = (...values: readonly unknown[]): number =>
    Number(values.find((value) => Number.isSafeInteger(value) && (value as number) >= 0) ?? 0)
  return {
    input: count(of(usage, 'prompt_tokens'), of(usage, 'input_tokens')),
    cached: count(
      of(of(usage, 'prompt_tokens_details'), 'cached_tokens'),
      of(of(usage, 'input_tokens_details'), 'cached_tokens'),
    ),
    output: count(of(usage, 'completion_tokens'), of(usage, 'output_tokens')),
    reasoning: count(
      of(of(usage, 'completion_tokens_details'), 'reasoning_tokens'),
      of(of(usage, 'output_tokens_details'), 'reasoning_tokens'),
    ),
  }
}
