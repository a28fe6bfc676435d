/**
 * `http.request` and `http.response` for who passes them on: the same bytes, the same checks, but the headers are not made
 * into values. More headers can be put behind them.
 */
import { bare, bytes, ctor, int, latin1, unreadVector } from '../lang.ts'
import { httpHeader } from './http.ts'
import { MAX_BODY_BYTES, MAX_HEADER_COUNT, MAX_HTTP_WORD_BYTES, MAX_URL_BYTES } from './limits.ts'

const headers = unreadVector(bare(httpHeader), { max: MAX_HEADER_COUNT })

export const httpRequestToPass = ctor(
  'http.request',
  {
    method: latin1({ max: MAX_HTTP_WORD_BYTES }),
    url: latin1({ max: MAX_URL_BYTES }),
    httpVersion: latin1({ max: MAX_HTTP_WORD_BYTES }),
    headers,
    payload: bytes({ max: MAX_BODY_BYTES }),
  },
  'http.Response',
)

export const httpResponseToPass = ctor(
  'http.response',
  {
    httpVersion: latin1({ max: MAX_HTTP_WORD_BYTES }),
    statusCode: int,
    reason: latin1({ max: MAX_HTTP_WORD_BYTES }),
    headers,
    payload: bytes({ max: MAX_BODY_BYTES }),
  },
  'http.Response',
)
