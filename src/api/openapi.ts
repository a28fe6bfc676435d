/**
 * The document that describes this API to tools: OpenAPI 3.1, made from the schemas that requests are checked with.
 * `GET /openapi.json` serves it; docs/openapi.json is the same, for reading and for generators.
 */
import { createBatchRequest, listBatchesQuery, listFilesQuery, uploadRequest } from './batch-contract.ts'
import { REQUEST_BY_PATH } from './contract.ts'
import { countTokensRequest, messagesRequest } from './messages/contract.ts'
import { ADMIN } from './openapi-admin.ts'
import { type Json, type Operation, pathId, queryOf, schemaOf } from './openapi-operation.ts'
import { responsesRequest } from './responses/contract.ts'
import { TRANSCRIPTION_PATH, transcriptionRequest } from './transcription.ts'

const POSTS: Readonly<Record<string, Operation>> = {
  '/v1/chat/completions': {
    summary: 'Chat completion. Fields that are not described travel on to the engine.',
    request: REQUEST_BY_PATH['/v1/chat/completions'],
    streams: true,
  },
  '/v1/completions': { summary: 'Text completion.', request: REQUEST_BY_PATH['/v1/completions'], streams: true },
  '/v1/embeddings': { summary: 'Embeddings.', request: REQUEST_BY_PATH['/v1/embeddings'] },
  '/v1/rerank': { summary: 'Documents ranked for a query.', request: REQUEST_BY_PATH['/v1/rerank'] },
  [TRANSCRIPTION_PATH]: {
    summary: 'Sound to text.',
    request: transcriptionRequest,
    mediaType: 'multipart/form-data',
    streams: true,
  },
  '/v1/responses': { summary: 'OpenAI’s Responses, without a memory.', request: responsesRequest, streams: true },
  '/v1/messages': { summary: 'Anthropic’s Messages.', request: messagesRequest, streams: true },
  '/v1/messages/count_tokens': { summary: 'Length of a prompt, in tokens.', request: countTokensRequest },
}

/** Requests in files. */
const BATCH_POSTS: Readonly<Record<string, Operation>> = {
  '/v1/files': {
    summary: 'Keeps an input file.',
    request: uploadRequest,
    mediaType: 'multipart/form-data',
    isFree: true,
  },
  '/v1/batches': { summary: 'Answers the requests of a file.', request: createBatchRequest, isFree: true },
  '/v1/batches/{batch_id}/cancel': {
    summary: 'Ends a batch; what was answered is kept.',
    parameters: [pathId('batch_id')],
  },
}

/** The same requests, for what they can cost; nothing runs. */
const QUOTES = Object.fromEntries(
  Object.entries(POSTS)
    .filter(([path]) => path !== TRANSCRIPTION_PATH)
    .map(([path, { request }]): [string, Operation] => [
      path.replace('/v1/', '/v1/quote/'),
      { summary: `What a request to ${path} can cost.`, ...(request !== undefined && { request }), like: path },
    ]),
)

const MODEL_ID: Json = {
  name: 'model',
  in: 'path',
  required: true,
  description: 'As listed; slashes may be escaped or not.',
  schema: { type: 'string' },
}

const GETS: Readonly<Record<string, Operation>> = {
  '/v1/models': { summary: 'Models on offer now, with their workers.' },
  '/v1/models/{model}': { summary: 'One of them.', parameters: [MODEL_ID] },
  '/v1/prices': { summary: 'What tokens of each model cost now, at the cheapest and at the dearest worker.' },
  '/v1/files': { summary: 'Files of the caller’s project.', parameters: queryOf(listFilesQuery) },
  '/v1/files/{file_id}': { summary: 'One of them.', parameters: [pathId('file_id')] },
  '/v1/files/{file_id}/content': {
    summary: 'What is in it.',
    parameters: [pathId('file_id')],
    answers: 'application/octet-stream',
  },
  '/v1/batches': { summary: 'Batches of the caller’s project.', parameters: queryOf(listBatchesQuery) },
  '/v1/batches/{batch_id}': { summary: 'How far a batch is.', parameters: [pathId('batch_id')] },
  '/healthz': { summary: 'Whether the process lives.', by: 'anybody' },
  '/readyz': { summary: 'Whether requests can be served, and why not.', by: 'anybody' },
  '/openapi.json': { summary: 'This document.', by: 'anybody' },
  '/status': { summary: 'What the node says of itself.' },
  '/jsonstats': { summary: 'The same in the shape that existing monitoring reads.' },
  '/metrics': { summary: 'Prometheus metrics.', answers: 'text/plain' },
}

const DELETES: Readonly<Record<string, Operation>> = {
  '/v1/files/{file_id}': { summary: 'Deletes a file.', parameters: [pathId('file_id')] },
}

/** @returns plain JSON, the same at every call */
export function openApiDocument(): Json {
  const paths: Record<string, Json> = {}
  const add = (method: string, operations: Readonly<Record<string, Operation>>): void => {
    for (const [path, operation] of Object.entries(operations))
      paths[path] = { ...paths[path], [method]: describe(method, path, operation, path in paths) }
  }
  add('get', { ...GETS, ...ADMIN.get })
  add('post', { ...POSTS, ...BATCH_POSTS, ...QUOTES, ...ADMIN.post })
  add('put', ADMIN.put)
  add('delete', { ...DELETES, ...ADMIN.delete })
  return {
    openapi: '3.1.0',
    info: {
      title: 'Cocoon client node',
      version: '1',
      description:
        'AI inference in hardware enclaves, paid per token. An API key is needed only where the node has one; prices stand in the headers and in usage.',
    },
    servers: [{ url: 'http://127.0.0.1:10000' }],
    paths,
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer' },
        admin: { type: 'http', scheme: 'bearer', description: 'The node’s admin key, or the credential of a member.' },
      },
      schemas: { Error: ERROR },
      headers: HEADERS,
    },
  }
}

const SECURITY = { anybody: [], key: [{}, { key: [] }], admin: [{ admin: [] }] }

/** @param isSecond whether another method of this path has its name already */
function describe(method: string, path: string, operation: Operation, isSecond: boolean): Json {
  const {
    summary,
    request,
    mediaType = 'application/json',
    streams,
    by,
    parameters,
    like,
    answers,
    isFree,
    status = 200,
  } = operation
  const name = path.replaceAll(/[^a-z]+/g, '_').replace(/^_|_$/g, '')
  return {
    operationId: isSecond ? `${method}_${name}` : name,
    summary,
    security: SECURITY[by ?? 'key'],
    ...(parameters !== undefined && { parameters }),
    ...(request !== undefined && {
      requestBody: {
        required: true,
        content: { [mediaType]: { schema: like === undefined ? schemaOf(request, mediaType) : schemaAt(like) } },
      },
    }),
    responses: {
      [status]: {
        description: 'The answer.',
        ...(request !== undefined &&
          like === undefined &&
          isFree !== true &&
          by !== 'admin' && { headers: HEADER_REFERENCES }),
        ...(status !== 204 && {
          content: {
            [answers ?? 'application/json']: {},
            ...(streams === true && { 'text/event-stream': {} }),
          },
        }),
      },
      default: {
        description: 'A refusal or a failure; the first word of its code says who must act.',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  }
}

const schemaAt = (path: string): Json => ({
  $ref: `#/paths/${path.replaceAll('/', '~1')}/post/requestBody/content/application~1json/schema`,
})

const ERROR: Json = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'param', 'code'],
      properties: {
        message: { type: 'string' },
        type: { type: 'string' },
        param: { type: ['string', 'null'], description: 'The field at fault.' },
        code: { type: 'string' },
      },
    },
  },
}

const header = (description: string): Json => ({ description, schema: { type: 'string' } })

const HEADERS: Readonly<Record<string, Json>> = {
  'x-request-id': header('Under which this node’s log tells about the request.'),
  'x-cocoon-cost-nano': header('What it cost, in nanoTON; in the trailers of a stream.'),
  'x-cocoon-tokens': header('Adjusted tokens charged; in the trailers of a stream.'),
  'x-cocoon-prompt-tokens': header('Of these, for the prompt; likewise cached, completion and reasoning.'),
  'x-cocoon-worker': header('The wallet that owns the worker, where the proxy tells it.'),
  'x-cocoon-attempts': header('How many workers have had the request, this one included.'),
  'x-cocoon-max-cost-nano': header('The most it could cost: the reservation.'),
  'x-cocoon-evidence': header('What the proxy proved about itself: verified, simulated or none.'),
  'x-cocoon-proxy': header('The proxy that took the request.'),
}

const HEADER_REFERENCES: Json = Object.fromEntries(
  Object.keys(HEADERS).map((name) => [name, { $ref: `#/components/headers/${name}` }]),
)
