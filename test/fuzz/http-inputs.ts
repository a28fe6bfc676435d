/** Hostile bytes for HTTP ports: damaged requests, bodies that are no JSON or too much of it, requests read in two ways. */
import { randomBytes, type Draw } from './frame-inputs.ts'

const PATHS = [
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/embeddings',
  '/v1/models',
  '/status',
  '/metrics',
  '/jsonstats',
  '/healthz',
  '/readyz',
  '/../../etc/passwd',
  '/%00',
  '/v1/chat/completions/../../status',
  '*',
  '//',
  'http://example.invalid/v1/models',
  `/${'a'.repeat(3000)}`,
]
const METHODS = [
  'POST',
  'POST',
  'POST',
  'GET',
  'PUT',
  'DELETE',
  'OPTIONS',
  'HEAD',
  'TRACE',
  'CONNECT',
  'PRI',
  'G\u00cbT',
]
const BODY = '{"model":"test-model","messages":[{"role":"user","content":"hi"}],"max_tokens":5}'
const VALUES = [
  'null',
  '-1',
  '1e400',
  '1e-7',
  '9007199254740993',
  '""',
  '"x"',
  '[]',
  '{}',
  'true',
  '"\\ud800"',
  '[[[]]]',
]
const FIELDS = [
  'model',
  'messages',
  'max_tokens',
  'n',
  'stream',
  'stream_options',
  'timeout',
  'max_coefficient',
  'stop',
]
const SMUGGLING: readonly ((body: string) => string)[] = [
  (body) => `content-length: ${body.length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${body}`,
  (body) => `content-length: ${body.length}\r\ncontent-length: 3\r\n\r\n${body}`,
  (body) => `content-length: +${body.length}\r\n\r\n${body}`,
  (body) => `content-length : ${body.length}\r\n\r\n${body}`,
  (body) => `transfer-encoding: xchunked\r\n\r\n${body}`,
  (body) => `transfer-encoding: chunked, identity\r\n\r\n5\r\n${body}`,
  (body) => `transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n${body}`,
  (body) => `transfer-encoding: chunked\r\n\r\nffffffffffffffff1\r\n${body}`,
  (body) => `transfer-encoding: chunked\r\n\r\n${body.length.toString(16)};a=b\r\n${body}\r\n0\r\n\r\n`,
  (body) => `x: y\n content-length: 5\n\n${body}`,
  (body) => `content-length: ${body.length}\r\nexpect: 100-continue\r\n\r\n${body}`,
  (body) => `content-length: ${body.length}\r\nexpect: 200-ok\r\n\r\n${body}`,
  (body) => `connection: upgrade\r\nupgrade: websocket\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
]

/** The bytes that one connection sends. */
export function httpInput(draw: Draw): Buffer {
  switch (draw(9)) {
    case 0:
      return Buffer.from(randomBytes(draw, draw(400)))
    case 1:
      return damaged(request(draw, BODY), draw)
    case 2:
      return Buffer.from(request(draw, oddBody(draw)))
    case 3:
      return Buffer.from(request(draw, damaged(BODY, draw).toString('latin1')), 'latin1')
    case 4:
      return Buffer.from(request(draw, `${'[{"a":'.repeat(draw(40_000))}`))
    case 5:
      return Buffer.from(head(draw) + `x-${'a'.repeat(draw(40_000))}: ${'b'.repeat(draw(40_000))}\r\n\r\n`)
    case 6:
      return Buffer.from(head(draw) + 'a: b\r\n'.repeat(draw(5000)) + '\r\n')
    case 7:
      return Buffer.from(head(draw) + pick(SMUGGLING, draw)(BODY) + request(draw, BODY), 'latin1')
    default:
      return Buffer.from(request(draw, BODY) + request(draw, BODY).slice(0, draw(200)))
  }
}

const pick = <T>(from: readonly T[], draw: Draw): T => from[draw(from.length)] as T

const head = (draw: Draw): string =>
  `${pick(METHODS, draw)} ${pick(PATHS, draw)} HTTP/${pick(['1.1', '1.1', '1.1', '1.0', '2.0', '9'], draw)}\r\n` +
  `host: ${pick(['127.0.0.1', '127.0.0.1', 'localhost', 'evil.invalid', '[::1'], draw)}\r\n`

const request = (draw: Draw, body: string): string =>
  `${head(draw)}content-type: ${pick(['application/json', 'application/json', 'text/plain', 'a/b;c'], draw)}\r\n` +
  `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

function oddBody(draw: Draw): string {
  const members = Array.from(
    { length: 1 + draw(6) },
    () => `${JSON.stringify(pick(FIELDS, draw))}:${pick(VALUES, draw)}`,
  )
  const body = `{${members.join(',')},"model":"test-model","messages":[]}`
  return draw(2) === 0
    ? body
    : body.replace('"messages":[]', `"messages":[{"role":"user","content":${pick(VALUES, draw)}}]`)
}

function damaged(text: string, draw: Draw): Buffer {
  let bytes = Buffer.from(text)
  for (let times = 1 + draw(4); times > 0 && bytes.length > 0; times--) {
    const at = draw(bytes.length)
    const kind = draw(4)
    if (kind === 0) bytes[at] = draw(256)
    else if (kind === 1) bytes = bytes.subarray(0, at)
    else if (kind === 2)
      bytes = Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from(pick(['\r\n', '\0', '\n', ' ', '"', '\u2028'], draw)),
        bytes.subarray(at),
      ])
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(draw(bytes.length))])
  }
  return bytes
}
