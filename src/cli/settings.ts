/** The schema, flattened: one entry for each leaf, with its names in the file, the environment and on the command line. */
import { z } from 'zod'
import { configSchema, SECRET_KEYS } from './schema.ts'

export interface Setting {
  /** `client.http.port` */
  readonly path: readonly string[]
  /** `COCOON_CLIENT_HTTP_PORT` */
  readonly env: string
  /** `--client-http-port`; null for secrets. */
  readonly flag: string | null
  readonly type: 'string' | 'number' | 'boolean' | 'list' | 'map'
  readonly description: string
  readonly default: unknown
  /** `1 to 65535`, `debug | info`; empty when anything goes. */
  readonly values: string
}

interface JsonSchema {
  readonly type?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly default?: unknown
  readonly description?: string
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly JsonSchema[]
  readonly const?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
}

export const pathText = (path: readonly string[]): string => path.join('.')

/** In the order of the schema. */
export function allSettings(): readonly Setting[] {
  return flatten(z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as JsonSchema, [])
}

function flatten(schema: JsonSchema, path: readonly string[]): Setting[] {
  if (schema.properties === undefined) return [settingOf(schema, path)]
  return Object.entries(schema.properties).flatMap(([name, inner]) => flatten(inner, [...path, name]))
}

function settingOf(schema: JsonSchema, path: readonly string[]): Setting {
  const words = path.map((name) => name.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)).join('-')
  return {
    path,
    env: `COCOON_${words.toUpperCase().replaceAll('-', '_')}`,
    flag: SECRET_KEYS.has(path.at(-1) ?? '') ? null : `--${words}`,
    type: typeOf(schema),
    description: schema.description ?? '',
    default: schema.default,
    values: valuesOf(schema),
  }
}

function typeOf(schema: JsonSchema): Setting['type'] {
  const types = [schema.type, ...(schema.anyOf ?? []).map((s) => s.type)]
  if (types.includes('integer') || types.includes('number')) return 'number'
  if (types.includes('boolean')) return 'boolean'
  if (types.includes('array')) return 'list'
  if (types.includes('object')) return 'map'
  return 'string'
}

function valuesOf(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.join(' | ')
  if (schema.anyOf !== undefined)
    return schema.anyOf
      .map((s) => (s.const === undefined ? valuesOf(s) : String(s.const)))
      .filter(Boolean)
      .join(' | ')
  const { minimum = schema.exclusiveMinimum, maximum } = schema
  if (minimum === undefined || maximum === undefined || maximum > 2 ** 52)
    return minimum === undefined ? '' : `${minimum} or more`
  return `${minimum} to ${maximum}`
}
