/** Every POST that is an inference. Shapes: contract.ts, and contract.ts of each API that is translated. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { INFERENCE_PATHS } from './contract.ts'
import { apiError } from './errors.ts'
import type { Gate } from './gate.ts'
import type { RequestDefaults } from './caller.ts'
import { createAnswerMemory, fingerprintOf } from './idempotency.ts'
import { prepareInference } from './prepare.ts'
import { answerInference, type HttpAnswerDeps } from './respond.ts'
import { TRANSCRIPTION_PATH } from './transcription.ts'
import { TRANSLATED_PATHS } from './translated-paths.ts'

export function addInferenceRoutes(
  app: FastifyInstance,
  gate: Gate,
  defaults: RequestDefaults,
  deps: HttpAnswerDeps,
): void {
  // The bytes as they came: prepare.ts parses them once.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  // Before the body, so that waiting bodies are bounded as well.
  app.addHook('onRequest', async (request, reply) => {
    if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') throw apiError('request.unsupported-media')
    reply.raw.once('close', gate.enter())
  })
  const memory = createAnswerMemory(deps.clock, deps.inference)
  const handler = (request: FastifyRequest, reply: FastifyReply): void => {
    const prepared = prepareInference({
      path: request.url,
      headers: pairs(request.raw.rawHeaders),
      body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
      traceId: request.id,
      caller: request.caller,
      defaults,
    })
    const key = request.headers['idempotency-key']
    let { inference } = deps
    if (typeof key === 'string') {
      const of = memory.inferenceFor(key, `${request.url} ${request.caller}`, fingerprintOf(prepared))
      inference = of.inference
      if (of.isRepeated) reply.header('idempotent-replayed', 'true')
    }
    const baseHeaders = Object.entries(reply.getHeaders()).flatMap(([name, value]) => [name, String(value)])
    reply.hijack()
    answerInference(reply.raw, prepared, baseHeaders, inference === deps.inference ? deps : { ...deps, inference })
  }
  for (const path of [...INFERENCE_PATHS, ...TRANSLATED_PATHS]) app.post(path, handler)
  void app.register(async (forms) => {
    forms.removeAllContentTypeParsers()
    forms.addContentTypeParser('multipart/form-data', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    forms.post(TRANSCRIPTION_PATH, handler)
  })
}

function* pairs(flat: readonly string[]): Iterable<readonly [string, string]> {
  for (let i = 0; i + 1 < flat.length; i += 2) yield [flat[i] as string, flat[i + 1] as string]
}
