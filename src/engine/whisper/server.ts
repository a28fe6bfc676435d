/**
 * The embedded speech engine: OpenAI's transcriptions over a Whisper model, in a process of its own. Recordings and transcripts reach
 * no log and no error.
 */
import type { FastifyInstance, FastifyReply } from 'fastify'
import { type Clock, CocoonError, type Log, silentLog, systemClock } from '../../util/index.ts'
import { errorAnswer } from '../embedded/errors.ts'
import { eventStream } from '../embedded/event-stream.ts'
import { CallerLeft, checkModel, createShell, report, type Shell } from '../embedded/shell.ts'
import { USAGE_HEADER } from '../usage.ts'
import { CONTENT_TYPES, deltaEvent, doneEvent, formatTranscript, usageOf } from './answer-formats.ts'
import { BODY_IS, parseTranscriptionRequest, type TranscriptionRequest } from './contract.ts'
import { type WhisperOptions, whisperOptions, type WhisperOptionsInput } from './options.ts'
import { startPlace } from './place.ts'
import { type Places, startPlaces } from './places.ts'
import { type Transcript, transcribe } from './transcribe.ts'

export interface WhisperServerDeps {
  readonly log?: Log
  readonly clock?: Clock
}

export interface WhisperServer {
  /** `http://127.0.0.1:4321`, without a slash at the end. */
  readonly url: string
  readonly port: number
  /** Lets running answers finish for `drainMs`, then cuts them, then ends the threads. */
  close(): Promise<void>
}

/** What the network can carry in one frame, and a little. */
const MAX_BODY_BYTES = 17 << 20

/** Throws `engine.model-unusable`, or what `listen` throws. */
export async function startWhisperServer(
  input: WhisperOptionsInput,
  deps: WhisperServerDeps = {},
): Promise<WhisperServer> {
  const options = whisperOptions.parse(input)
  const log = deps.log ?? silentLog
  const clock = deps.clock ?? systemClock
  const places = await startPlaces(() => startPlace(options), options)
  const shell = createShell({
    host: options.host,
    port: options.port,
    drainMs: options.drainMs,
    maxBodyBytes: MAX_BODY_BYTES,
    bodyIs: BODY_IS,
    log,
    clock,
    busy: () => places.busy,
  })
  addRoutes(shell.app, { places, shell, options, log, loadedAt: Math.floor(clock.now() / 1000) })
  const { url, port } = await shell.listen().catch(async (error: unknown) => {
    await places.close()
    throw error
  })
  log.info('speech engine is listening', { host: options.host, port, parallel: options.parallel })
  return {
    url,
    port,
    async close() {
      if (await shell.close()) await places.close()
    },
  }
}

interface RouteDeps {
  readonly places: Places
  readonly shell: Shell
  readonly options: WhisperOptions
  readonly log: Log
  /** Seconds since 1970. */
  readonly loadedAt: number
}

function addRoutes(app: FastifyInstance, deps: RouteDeps): void {
  const { places, shell, options } = deps
  app.addContentTypeParser('multipart/form-data', { parseAs: 'buffer' }, (_, body, done) => done(null, body))

  app.get('/health', async () => ({ status: 'ok', busy: places.busy, queued: places.queued }))

  app.get('/v1/models', async () => ({
    object: 'list',
    data: [
      {
        id: options.servedModelName,
        object: 'model',
        created: deps.loadedAt,
        owned_by: 'local',
        abilities: {
          can: ['transcription'],
          cannot: [
            'chat',
            'completions',
            'embeddings',
            'rerank',
            'tools',
            'json-schema',
            'vision',
            'audio',
            'reasoning',
          ],
        },
      },
    ],
  }))

  app.post('/v1/audio/transcriptions', async (incoming, reply) => {
    const request = parseTranscriptionRequest(incoming.body, incoming.headers['content-type'] ?? '', places.languages)
    checkModel(request.model, options.servedModelName)
    const leave = places.admit()
    try {
      const signal = shell.enter(reply)
      if (request.stream) return await streamed(deps, request, reply, signal)
      return whole(await transcribe(places, request, signal), request, reply)
    } finally {
      leave()
    }
  })
}

function whole(transcript: Transcript, { format }: TranscriptionRequest, reply: FastifyReply): FastifyReply {
  reply.type(CONTENT_TYPES[format])
  if (format !== 'json' && format !== 'verbose_json') {
    // Only the JSON shapes can say that something is missing.
    if (transcript.finish === 'length')
      throw new CocoonError('request.invalid', {
        message: 'max_tokens: is too low for this recording, and this response_format cannot show that; raise it',
        param: 'max_tokens',
        code: 'max_tokens_reached',
      })
    reply.header(USAGE_HEADER, JSON.stringify(usageOf(transcript.usage)))
  }
  return reply.send(formatTranscript(transcript, format))
}

async function streamed(
  { places, log }: RouteDeps,
  request: TranscriptionRequest,
  reply: FastifyReply,
  signal: AbortSignal,
): Promise<FastifyReply> {
  reply.hijack()
  const events = eventStream(reply.raw)
  let isFirst = true
  try {
    const transcript = await transcribe(places, request, signal, (segment) => {
      events.send(deltaEvent(segment, isFirst))
      isFirst = false
    })
    events.send(doneEvent(transcript))
    events.done()
  } catch (error) {
    if (error instanceof CallerLeft) return reply
    report(log, error)
    if (events.started) events.fail(error)
    else {
      const { status, headers, body } = errorAnswer(error)
      reply.raw.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
    }
  }
  return reply
}
