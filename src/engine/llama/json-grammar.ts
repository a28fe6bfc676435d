/**
 * JSON Schema to a GBNF grammar: the model can then write nothing but an instance of the schema. The spacing is fixed
 * (`{"a": 1, "b": [2]}`), so that no tokens are spent on blanks and a small model cannot run off into them.
 *
 * Held: type, enum, const, properties, required, additionalProperties, items, prefixItems, minItems, maxItems, minLength,
 * maxLength, anyOf, oneOf, allOf of one, $ref within the document, the formats date, time, date-time, uuid. Everything else
 * that restricts values is refused when the caller asked for `strict`, and otherwise left to the model.
 */
import { invalid } from '../embedded/errors.ts'

export type JsonSchema = boolean | { readonly [key: string]: unknown }

export interface GrammarOptions {
  /** Refuse a schema we cannot hold to the letter. */
  readonly strict: boolean
  /** For error messages: the request field that carries the schema. */
  readonly param: string
}

/** Deeper nesting is an attack or a mistake; OpenAI allows ten levels. */
const MAX_DEPTH = 32
/** Rules of one grammar; a schema for which this is too little would make sampling slow as well. */
const MAX_RULES = 2000
/** llama.cpp unrolls counted repetitions into rules. */
const MAX_REPEAT = 256
/** Values of one enum. */
const MAX_ENUM = 500

const NONE: ReadonlySet<string> = new Set()

const COMMON = String.raw`
value ::= object | array | string | number | boolean | null
object ::= "{" (string ": " value (", " string ": " value)*)? "}"
array ::= "[" (value (", " value)*)? "]"
string ::= "\"" char* "\""
char ::= [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt/] | "u" hex hex hex hex)
hex ::= [0-9a-fA-F]
integer ::= "-"? ("0" | [1-9] [0-9]{0,15})
number ::= integer ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,3})?
boolean ::= "true" | "false"
null ::= "null"
date ::= [0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | [12] [0-9] | "3" [01])
time ::= ([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{3})? ("Z" | [-+] [01] [0-9] ":" [0-5] [0-9])
uuid ::= hex{8} "-" hex{4} "-" hex{4} "-" hex{4} "-" hex{12}
`

/** Any JSON object: `response_format: {type: 'json_object'}`. */
export const JSON_OBJECT_GRAMMAR = `root ::= object${COMMON}`

/** A grammar for instances of this schema. Throws `request.invalid` naming the place in the schema. */
export function grammarFor(schema: JsonSchema, options: GrammarOptions): string {
  const rules: string[] = []
  const ruleByRef = new Map<string, string>()

  const addRule = (body: string): string => {
    if (rules.length >= MAX_RULES) throw invalid(options.param, 'the schema is too large for a grammar')
    const name = `r${rules.length}`
    rules.push(`${name} ::= ${body}`)
    return name
  }

  /** `open`: references being followed since the last thing that takes up text; one of them again would never end. */
  function visit(node: unknown, path: string, depth: number, open: ReadonlySet<string> = NONE): string {
    if (depth > MAX_DEPTH) throw invalid(path, `is nested deeper than ${MAX_DEPTH} levels`)
    if (node === true || node === undefined) return 'value'
    if (!isObject(node)) throw invalid(path, 'is not a schema')
    if (typeof node.$ref === 'string') return visitRef(node.$ref, path, depth, open)
    if ('const' in node) return literal(node.const, path)
    if (Array.isArray(node.enum)) return visitEnum(node.enum, path)
    const alternatives = node.anyOf ?? node.oneOf
    if (Array.isArray(alternatives)) {
      return addRule(
        nonEmpty(alternatives, path)
          .map((s, i) => visit(s, `${path}.anyOf[${i}]`, depth + 1, open))
          .join(' | '),
      )
    }
    if (Array.isArray(node.allOf)) {
      if (node.allOf.length === 1) return visit(node.allOf[0], `${path}.allOf[0]`, depth + 1, open)
      throw invalid(`${path}.allOf`, 'only one entry is supported')
    }
    if (Array.isArray(node.type)) {
      return addRule(
        nonEmpty(node.type, path)
          .map((type) => visit({ ...node, type }, path, depth + 1))
          .join(' | '),
      )
    }
    return visitType(node, path, depth)
  }

  function visitType(node: Readonly<Record<string, unknown>>, path: string, depth: number): string {
    const type = node.type ?? ('properties' in node ? 'object' : 'items' in node ? 'array' : undefined)
    if (type === 'number' || type === 'integer') {
      forbid(node, path, ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'])
      return type
    }
    if (type === 'boolean' || type === 'null') return type
    switch (type) {
      case 'object':
        return visitObject(node, path, depth)
      case 'array':
        return visitArray(node, path, depth)
      case 'string':
        return visitString(node, path)
      case undefined:
        return 'value'
      default:
        throw invalid(`${path}.type`, 'is none of the JSON types')
    }
  }

  function visitRef(ref: string, path: string, depth: number, open: ReadonlySet<string>): string {
    if (open.has(ref)) throw invalid(`${path}.$ref`, 'leads back to itself')
    const known = ruleByRef.get(ref)
    if (known !== undefined) return known
    if (ref !== '#' && !ref.startsWith('#/')) throw invalid(`${path}.$ref`, 'points outside the schema')
    let target: unknown = schema
    for (const step of ref.split('/').slice(1)) {
      const key = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
      target = isObject(target) && Object.hasOwn(target, key) ? target[key] : undefined
    }
    if (target === undefined) throw invalid(`${path}.$ref`, 'points to nothing')
    // Named before it is visited, so that a schema may contain itself.
    const name = addRule('')
    ruleByRef.set(ref, name)
    const index = Number(name.slice(1))
    rules[index] = `${name} ::= ${visit(target, path, depth + 1, new Set([...open, ref]))}`
    return name
  }

  function visitObject(node: Readonly<Record<string, unknown>>, path: string, depth: number): string {
    forbid(node, path, [
      'patternProperties',
      'propertyNames',
      'minProperties',
      'maxProperties',
      'dependentRequired',
      'if',
      'not',
    ])
    const properties = isObject(node.properties) ? node.properties : {}
    const names = Object.keys(properties)
    const required = new Set(Array.isArray(node.required) ? node.required : [])
    const more = node.additionalProperties ?? names.length === 0
    for (const name of required)
      if (!Object.hasOwn(properties, String(name))) throw invalid(`${path}.required`, 'names an unknown property')
    const extra =
      more === false ? undefined : addRule(`string ": " ${visit(more, `${path}.additionalProperties`, depth + 1)}`)
    if (names.length === 0)
      return extra === undefined ? literalText('{}') : addRule(`"{" (${extra} (", " ${extra})*)? "}"`)
    const members = names.map((name) => ({
      required: required.has(name),
      rule: addRule(
        `${literalText(`${JSON.stringify(name)}: `)} ${visit(properties[name], `${path}.properties.${name}`, depth + 1)}`,
      ),
    }))
    return addRule(`"{" ${membersInOrder(members, extra)} "}"`)
  }

  /** Members in the schema's order, optional ones left out freely, commas only between. One rule per position. */
  function membersInOrder(members: readonly { required: boolean; rule: string }[], extra: string | undefined): string {
    const tail = extra === undefined ? '' : `(", " ${extra})*`
    // following[i]: what may come from member i on, after at least one member was written.
    let following = tail === '' ? '""' : addRule(tail)
    // leading[i]: the same when none was written yet.
    let leading = extra === undefined ? '""' : addRule(`(${extra} ${tail})?`)
    for (const { required, rule } of members.toReversed()) {
      const first = `${rule} ${following}`
      leading = addRule(required ? first : `${first} | ${leading}`)
      following = addRule(required ? `", " ${first}` : `", " ${first} | ${following}`)
    }
    return leading
  }

  function visitArray(node: Readonly<Record<string, unknown>>, path: string, depth: number): string {
    forbid(node, path, ['uniqueItems', 'contains', 'minContains', 'maxContains'])
    if (Array.isArray(node.prefixItems)) {
      const fixed = nonEmpty(node.prefixItems, path).map((s, i) => visit(s, `${path}.prefixItems[${i}]`, depth + 1))
      return addRule(`"[" ${fixed.join(' ", " ')} "]"`)
    }
    const item = visit(node.items, `${path}.items`, depth + 1)
    const { min, max } = counts(node, path, 'minItems', 'maxItems')
    if (max === 0) return literalText('[]')
    const rest = `(", " ${item})${repeat(Math.max(0, min - 1), max === undefined ? undefined : max - 1)}`
    return addRule(min > 0 ? `"[" ${item} ${rest} "]"` : `"[" (${item} ${rest})? "]"`)
  }

  function visitString(node: Readonly<Record<string, unknown>>, path: string): string {
    forbid(node, path, ['pattern'])
    if (typeof node.format === 'string') {
      if (node.format === 'date-time') return addRule('"\\"" date "T" time "\\""')
      if (['date', 'time', 'uuid'].includes(node.format)) return addRule(`"\\"" ${node.format} "\\""`)
      forbid(node, path, ['format'])
    }
    const { min, max } = counts(node, path, 'minLength', 'maxLength')
    return min === 0 && max === undefined ? 'string' : addRule(`"\\"" char${repeat(min, max)} "\\""`)
  }

  function visitEnum(values: readonly unknown[], path: string): string {
    if (values.length > MAX_ENUM) throw invalid(`${path}.enum`, `has more than ${MAX_ENUM} values`)
    return addRule(
      nonEmpty(values, path)
        .map((value) => literal(value, path))
        .join(' | '),
    )
  }

  function counts(
    node: Readonly<Record<string, unknown>>,
    path: string,
    minKey: string,
    maxKey: string,
  ): { min: number; max: number | undefined } {
    const read = (key: string): number | undefined => {
      const value = node[key]
      if (value === undefined) return undefined
      if (!Number.isSafeInteger(value) || (value as number) < 0) throw invalid(`${path}.${key}`, 'is not a count')
      if ((value as number) <= MAX_REPEAT) return value as number
      if (options.strict) throw invalid(`${path}.${key}`, `more than ${MAX_REPEAT} cannot be enforced`)
      return undefined
    }
    const min = read(minKey) ?? 0
    const max = read(maxKey)
    if (max !== undefined && max < min) throw invalid(`${path}.${maxKey}`, `is less than ${minKey}`)
    return { min, max }
  }

  function forbid(node: Readonly<Record<string, unknown>>, path: string, keys: readonly string[]): void {
    if (!options.strict) return
    for (const key of keys)
      if (node[key] !== undefined)
        throw invalid(`${path}.${key}`, 'cannot be enforced; leave it out or set strict to false')
  }

  const root = visit(schema, options.param, 0)
  return `root ::= ${root}\n${rules.join('\n')}${COMMON}`
}

/** A grammar with exactly these texts. */
export const choiceGrammar = (texts: readonly string[]): string => `root ::= ${texts.map(literalText).join(' | ')}\n`

function literal(value: unknown, path: string): string {
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value))
    return literalText(JSON.stringify(value))
  throw invalid(path, 'enum and const may hold strings, numbers, booleans and null')
}

/** A GBNF string literal. Anything but printable ASCII is escaped by code point. */
function literalText(text: string): string {
  let out = ''
  for (const char of text) {
    const code = char.codePointAt(0) as number
    if (char === '"' || char === '\\') out += `\\${char}`
    else if (code >= 0x20 && code < 0x7f) out += char
    else out += `\\U${code.toString(16).toUpperCase().padStart(8, '0')}`
  }
  return `"${out}"`
}

const repeat = (min: number, max: number | undefined): string =>
  max === undefined ? (min === 0 ? '*' : `{${min},}`) : `{${min},${max}}`

function nonEmpty<T>(list: readonly T[], path: string): readonly T[] {
  if (list.length === 0) throw invalid(path, 'lists no alternatives')
  return list
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
