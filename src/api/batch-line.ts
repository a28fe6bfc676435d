/** A line of an input file: what it asks, and how it becomes a request like those of the live endpoint. */
import { batchLine } from './batch-contract.ts'
import type { PreparedInference, RequestDefaults } from './caller.ts'
import { MAX_JSON_DEPTH } from './contract.ts'
import { apiError } from './errors.ts'
import { scanObject, valueBytes } from './json-object.ts'
import { parseObject, prepareInference } from './prepare.ts'
import { checked } from './request-translation.ts'
import { CocoonError } from '../util/index.ts'

export interface BatchLine {
  readonly customId: string
  /** As it was written. */
  readonly body: Uint8Array
}

const FIELDS = ['custom_id', 'method', 'url', 'body']

/** @param endpoint of the batch. Throws `request.*` with `info.field` */
export function readBatchLine(line: Uint8Array, endpoint: string): BatchLine {
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength)
  // One more than a body has: the line around it.
  const members = scanObject(bytes, MAX_JSON_DEPTH + 1)
  if (members === 'too-deep') throw apiError('request.too-deep')
  const json = parseObject(bytes)
  for (const field of FIELDS)
    if (members.filter(({ key }) => key === field).length > 1)
      throw apiError('request.duplicate-field', { message: `'${field}' is given twice.`, field })
  const { custom_id: customId, url, body } = checked(batchLine, json)
  if (url !== endpoint) throw badField('url', `must be '${endpoint}', the endpoint of the batch`)
  if (body['stream'] === true) throw badField('body.stream', 'must not be true: a batch has whole answers')
  const member = members.find(({ key }) => key === 'body')
  return { customId, body: member === undefined ? Buffer.from('{}') : valueBytes(member) }
}

/** Throws `request.*`, whose `info.field` is that of the line: `body.max_tokens`. */
export function prepareBatchLine(
  { body }: BatchLine,
  endpoint: string,
  {
    traceId,
    caller,
    defaults,
  }: { readonly traceId: string; readonly caller: string; readonly defaults: RequestDefaults },
): PreparedInference {
  try {
    return prepareInference({ path: endpoint, headers: [], body, traceId, caller, defaults })
  } catch (thrown) {
    if (!(thrown instanceof CocoonError) || typeof thrown.info.field !== 'string') throw thrown
    throw new CocoonError(thrown.code, { ...thrown.info, field: `body.${thrown.info.field}` }, { cause: thrown })
  }
}

const badField = (field: string, says: string) =>
  apiError('request.bad-field', { message: `'${field}' ${says}.`, field })
