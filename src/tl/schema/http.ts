/**
 * HTTP requests and responses as objects, carried inside queries and answers. Texts are one character a byte, because the
 * bytes of HTTP headers need not be UTF-8. Source: spec/tl-constructors.json, `http.*`.
 */
import { bare, bytes, ctor, int, latin1, union, vector, type FieldsOf, type ValueOf } from '../lang.ts'
import {
  MAX_BODY_BYTES,
  MAX_HEADER_COUNT,
  MAX_HEADER_NAME_BYTES,
  MAX_HEADER_VALUE_BYTES,
  MAX_HTTP_WORD_BYTES,
  MAX_URL_BYTES,
} from './limits.ts'

/** One header line. The name in the sender's case. */
export const httpHeader = ctor(
  'http.header',
  { name: latin1({ max: MAX_HEADER_NAME_BYTES }), value: latin1({ max: MAX_HEADER_VALUE_BYTES }) },
  'http.Header',
)
export type HttpHeader = FieldsOf<typeof httpHeader>

/** The whole request, body included. */
export const httpRequest = ctor(
  'http.request',
  {
    method: latin1({ max: MAX_HTTP_WORD_BYTES }),
    /** Path and query, without scheme and host. */
    url: latin1({ max: MAX_URL_BYTES }),
    /** `HTTP/1.1` or `HTTP/1.0`. */
    httpVersion: latin1({ max: MAX_HTTP_WORD_BYTES }),
    headers: vector(bare(httpHeader), { max: MAX_HEADER_COUNT }),
    payload: bytes({ max: MAX_BODY_BYTES }),
  },
  'http.Response',
)
export type HttpRequest = ValueOf<typeof httpRequest>

/** The head of a response and the first bytes of its body; the rest follows in answer parts. */
export const httpResponse = ctor(
  'http.response',
  {
    httpVersion: latin1({ max: MAX_HTTP_WORD_BYTES }),
    statusCode: int,
    reason: latin1({ max: MAX_HTTP_WORD_BYTES }),
    headers: vector(bare(httpHeader), { max: MAX_HEADER_COUNT }),
    payload: bytes({ max: MAX_BODY_BYTES }),
  },
  'http.Response',
)
export type HttpResponse = ValueOf<typeof httpResponse>

export const httpMessages = union('http.Message', [httpRequest, httpResponse])
