/** Constructors: a name, fields in order, and the type they make. */
import { crc32 } from './crc32.ts'
import type { Place, Reader, Writer } from './cursor.ts'
import { tlError } from './errors.ts'
import type { Ctor, CtorFacts, Field, Fields, FieldValues, Type, When } from './types.ts'

/**
 * How deep objects may nest. The schema needs 3 (a database record, the root configuration in it, the proxies in that).
 * A definition can use only earlier ones, so no value is deeper than its definition, and checking definitions is enough.
 */
export const MAX_DEPTH = 8

/** A field, with what the loops need at every step at hand. */
interface Step extends Field {
  /** The mask of the field's bit; 0 for a field that is always present. */
  readonly mask: number
}

type Row = Record<string, unknown>

/**
 * Defines a constructor. `fields` in wire order; `result` as the schema writes it.
 *
 * The id is the CRC-32 of the declaration, unless `options.id` pins it: six constructors kept theirs when fields were
 * appended. `flags` is an ordinary number that the caller gives: bits that nobody here knows survive a round trip, and
 * each `when` field must be present exactly when its bit is set (bug.tl-flags).
 *
 * Throws bug.tl-definition for a conditional field without a `flags` before it, for a flags word of another name, and for
 * too deep a nesting.
 */
export function ctor<const N extends string, F extends Fields>(
  name: N,
  fields: F,
  result: string,
  options: { readonly id?: number } = {},
): Ctor<N, FieldValues<F>> {
  const steps = stepsOf(name, fields)
  const line = declaration(name, steps, result)
  const facts: CtorFacts = { name, id: options.id ?? crc32(line), result, line, layout: steps }
  const body: Type<Row> = {
    tl: name,
    minBytes: steps.reduce((sum, step) => sum + (step.mask === 0 ? step.type.minBytes : 0), 0),
    depth: 1 + Math.max(0, ...steps.map((step) => step.type.depth)),
    shape: { is: 'bare', of: facts },
    size: (value, place) => sizeFields(name, steps, value, place),
    write: (w, value) => writeFields(name, steps, w, value),
    read: (r) => readFields(name, steps, r, {}),
    skip: (r) => skipFields(name, steps, r),
  }
  if (body.depth > MAX_DEPTH) throw tlError('bug.tl-definition', { constructorName: name })
  return {
    ...facts,
    name,
    // The steps were made from F: this is where its types become those of the values.
    body: body as Type<unknown> as Type<FieldValues<F>>,
    readAsBoxed: (r) => readFields(name, steps, r, { _: name }),
  }
}

function sizeFields(name: string, steps: readonly Step[], value: Row, place: Place): number {
  let total = 0
  for (const step of steps) {
    place.constructorName = name
    place.field = step.name
    const part = value[step.name]
    if (step.mask === 0 || isPresent(step, value, place)) total += step.type.size(part, place)
  }
  return total
}

function writeFields(name: string, steps: readonly Step[], w: Writer, value: Row): void {
  for (const step of steps) {
    w.constructorName = name
    w.field = step.name
    const part = value[step.name]
    if (step.mask === 0 || isPresent(step, value, w)) step.type.write(w, part)
  }
}

function readFields(name: string, steps: readonly Step[], r: Reader, into: Row): Row {
  for (const step of steps) {
    if (step.mask !== 0 && ((into.flags as number) & step.mask) === 0) continue
    r.constructorName = name
    r.field = step.name
    into[step.name] = step.type.read(r)
  }
  return into
}

function skipFields(name: string, steps: readonly Step[], r: Reader): void {
  let flags = 0
  for (const step of steps) {
    if (step.mask !== 0 && (flags & step.mask) === 0) continue
    r.constructorName = name
    r.field = step.name
    if (step.type.shape.is === 'flags') flags = step.type.read(r) as number
    else skip(step.type, r)
  }
}

/** Moves over a value of the type. */
export const skip = (type: Type<unknown>, r: Reader): void =>
  type.skip === undefined ? void type.read(r) : type.skip(r)

/** Whether the field goes on the wire, by its bit; the value must agree. */
function isPresent(step: Step, value: Row, place: Place): boolean {
  const wanted = ((value.flags as number) & step.mask) !== 0
  if (wanted !== (value[step.name] !== undefined)) place.fail('bug.tl-flags')
  return wanted
}

const isWhen = (field: Type<unknown> | When<unknown>): field is When<unknown> => 'inner' in field

function stepsOf(constructorName: string, fields: Fields): readonly Step[] {
  let hasFlags = false
  return Object.entries(fields).map(([name, field]) => {
    const tlName = name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)
    const type = isWhen(field) ? field.inner : field
    const isFlags = type.shape.is === 'flags'
    if (isFlags !== (name === 'flags') || (isWhen(field) && (!hasFlags || isFlags)))
      throw tlError('bug.tl-definition', { constructorName, field: name })
    hasFlags ||= isFlags
    return isWhen(field)
      ? { name, tlName, type, mask: 1 << field.bit, flag: field.bit }
      : { name, tlName, type, mask: 0 }
  })
}

/** The text whose CRC-32 is the id: no brackets, single spaces, no id, no semicolon. */
function declaration(name: string, layout: readonly Field[], result: string): string {
  const parts = layout.map((f) => `${f.tlName}:${f.flag === undefined ? '' : `flags.${f.flag}?`}${f.type.tl}`)
  return [name, ...parts, '=', result].join(' ')
}
