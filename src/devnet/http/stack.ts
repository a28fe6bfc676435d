/** The stack of a get method in toncenter's two notations. */
import { Cell, type Tuple, type TupleItem } from '@ton/core'
import { z } from 'zod'
import { devnetError } from '../errors.ts'

/** More arguments than any get method takes. */
const MAX_STACK = 256
/** Nested tuples. */
const MAX_DEPTH = 16
/** Digits of a 257-bit number in any notation, with room; a bag of cells is bounded by the request's body. */
const MAX_NUMBER_TEXT = 128

export const stackV2 = z.array(z.tuple([z.string(), z.unknown()])).max(MAX_STACK)
export const stackV3 = z.array(z.object({ type: z.string(), value: z.unknown() })).max(MAX_STACK)

const bad = (what: string) => devnetError('request.devnet-parameter', { message: `stack: ${what}` })

function number(value: unknown): TupleItem {
  const text = typeof value === 'number' ? value.toString() : value
  const match =
    typeof text === 'string' && text.length <= MAX_NUMBER_TEXT ? /^([+-]?)(0x[0-9a-f]+|\d+)$/i.exec(text) : null
  if (match === null) throw bad('not a number')
  const magnitude = BigInt(match[2] as string)
  if (magnitude >= 1n << 256n) throw bad('more than 256 bits')
  return { type: 'int', value: match[1] === '-' ? -magnitude : magnitude }
}

function cellOf(value: unknown): Cell {
  const text = typeof value === 'object' && value !== null && 'bytes' in value ? value.bytes : value
  try {
    return Cell.fromBase64(text as string)
  } catch {
    throw bad('not a bag of cells in Base64')
  }
}

/** `["num", "0x5"]`, `["tvm.Cell", "te6…"]`, … */
export function readStackV2(stack: z.output<typeof stackV2>): TupleItem[] {
  return stack.map(([type, value]): TupleItem => {
    switch (type) {
      case 'num':
      case 'number':
      case 'int':
        return number(value)
      case 'cell':
      case 'tvm.Cell':
        return { type: 'cell', cell: cellOf(value) }
      case 'slice':
      case 'tvm.Slice':
        return { type: 'slice', cell: cellOf(value) }
      case 'builder':
      case 'tvm.Builder':
        return { type: 'builder', cell: cellOf(value) }
      case 'null':
        return { type: 'null' }
      default:
        throw bad(`unknown type ${type.slice(0, 32)}`)
    }
  })
}

/** `{ "type": "num", "value": "0x5" }`, … */
export function readStackV3(stack: z.output<typeof stackV3>, depth = 0): TupleItem[] {
  if (depth > MAX_DEPTH) throw bad('nested too deep')
  return stack.map(({ type, value }): TupleItem => {
    if (type === 'tuple' || type === 'list') {
      const items = stackV3.safeParse(value)
      if (!items.success) throw bad('not a tuple')
      return { type: 'tuple', items: readStackV3(items.data, depth + 1) }
    }
    const [item] = readStackV2([[type, value]])
    return item as TupleItem
  })
}

const hex = (value: bigint): string => (value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`)
const base64 = (cell: Cell): string => cell.toBoc().toString('base64')

export function writeStackV2(stack: readonly TupleItem[]): unknown[] {
  return stack.map((item) => {
    switch (item.type) {
      case 'int':
        return ['num', hex(item.value)]
      case 'nan':
        return ['num', 'NaN']
      case 'cell':
      case 'slice':
      case 'builder':
        return [item.type, { bytes: base64(item.cell) }]
      case 'tuple':
        return ['tuple', tuple(item)]
      case 'null':
        // Null is the empty list.
        return ['list', { '@type': 'tvm.list', elements: [] }]
    }
  })
}

const tuple = (item: Tuple): unknown => ({ '@type': 'tvm.tuple', elements: item.items.map(entry) })

/** Inside a tuple everything is spelled out. */
function entry(item: TupleItem): unknown {
  switch (item.type) {
    case 'int':
      return {
        '@type': 'tvm.stackEntryNumber',
        number: { '@type': 'tvm.numberDecimal', number: item.value.toString() },
      }
    case 'nan':
      return { '@type': 'tvm.stackEntryNumber', number: { '@type': 'tvm.numberDecimal', number: 'NaN' } }
    case 'cell':
      return { '@type': 'tvm.stackEntryCell', cell: { '@type': 'tvm.cell', bytes: base64(item.cell) } }
    case 'slice':
    case 'builder':
      return { '@type': 'tvm.stackEntrySlice', slice: { '@type': 'tvm.slice', bytes: base64(item.cell) } }
    case 'tuple':
      return { '@type': 'tvm.stackEntryTuple', tuple: tuple(item) }
    case 'null':
      return { '@type': 'tvm.stackEntryList', list: { '@type': 'tvm.list', elements: [] } }
  }
}

export function writeStackV3(stack: readonly TupleItem[]): unknown[] {
  return stack.map((item) => {
    switch (item.type) {
      case 'int':
        return { type: 'num', value: hex(item.value) }
      case 'nan':
        return { type: 'num', value: 'NaN' }
      case 'cell':
      case 'slice':
      case 'builder':
        return { type: item.type, value: base64(item.cell) }
      case 'tuple':
        return { type: 'tuple', value: writeStackV3(item.items) }
      case 'null':
        return { type: 'list', value: [] }
    }
  })
}
