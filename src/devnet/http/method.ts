/** A call: what it takes and what it answers. Both styles of API, by name and by path, are tables of these. */
import type { z } from 'zod'
import type { Endpoint } from '../endpoint.ts'
import { parseParams } from './params.ts'

/** Throws `request.devnet-parameter` for parameters it cannot take. */
export type Method = (endpoint: Endpoint, params: unknown) => unknown

export function method<T extends z.ZodType>(
  schema: T,
  run: (endpoint: Endpoint, params: z.output<T>) => unknown,
): Method {
  return (endpoint, params) => run(endpoint, parseParams(schema, params))
}
