/** What the OpenAPI document says of one operation, and how schemas that requests are checked with stand in it. */
import { z } from 'zod'

export type Json = Readonly<Record<string, unknown>>

export interface Operation {
  readonly summary: string
  readonly request?: z.ZodType
  /** How the request's body travels, when not as JSON. */
  readonly mediaType?: 'multipart/form-data'
  /** With `stream: true` it answers with server-sent events. */
  readonly streams?: true
  /** Who may ask; without it, whoever has an API key, where the node asks for one. */
  readonly by?: 'anybody' | 'admin'
  readonly parameters?: readonly Json[]
  /** The path whose request this one takes. */
  readonly like?: string
  /** Runs nothing by itself: its answer has no price in its headers. */
  readonly isFree?: true
  /** Media type of the answer, when not JSON. */
  readonly answers?: string
  /** Of a good answer, when not 200. */
  readonly status?: 201 | 202 | 204
}

export function pathId(name: string): Json {
  return { name, in: 'path', required: true, schema: { type: 'string' } }
}

/** What a list may be asked with. */
export const queryOf = (schema: z.ZodObject): readonly Json[] =>
  Object.entries(
    (schemaOf(schema, 'application/json') as { properties: Readonly<Record<string, Json>> }).properties,
  ).map(([name, property]) => ({ name, in: 'query', required: false, schema: property }))

/** What a caller may write. What only a function can check is not in it. */
export function schemaOf(request: z.ZodType, mediaType: string): Json {
  const { $schema: _, ...schema } = z.toJSONSchema(request, { io: 'input', unrepresentable: 'any' }) as Record<
    string,
    unknown
  >
  if (mediaType !== 'multipart/form-data') return schema
  const { properties, required } = schema as { properties: Json; required: string[] }
  return {
    ...schema,
    properties: { ...properties, file: { type: 'string', format: 'binary' } },
    required: [...required, 'file'],
  }
}
