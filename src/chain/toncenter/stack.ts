/** Values in and out of get-methods, as toncenter's v2 writes them. */
import type { TupleItem } from '@ton/core'
import { CocoonError } from '../../util/index.ts'
import { parseUntrustedCell } from '../untrusted-cell.ts'

/** 257 bits. */
const NUMBER = /^-?(?:0x[0-9a-f]{1,65}|\d{1,78})$/i

export function encodeStack(items: readonly TupleItem[]): readonly (readonly [string, string])[] {
  return items.map((item) => {
    switch (item.type) {
      case 'int':
        return ['num', item.value.toString()]
      case 'cell':
        return ['tvm.Cell', item.cell.toBoc().toString('base64')]
      case 'slice':
        return ['tvm.Slice', item.cell.toBoc().toString('base64')]
      default:
        throw new CocoonError('bug.stack-item', { type: item.type })
    }
  })
}

/** Numbers, cells and slices; throws `chain.bad-answer` for what else there may be. */
export function decodeStack(entries: readonly (readonly [string, unknown])[]): TupleItem[] {
  return entries.map(([type, value], i) => {
    if (type === 'num' && typeof value === 'string' && NUMBER.test(value)) return { type: 'int', value: signed(value) }
    if (type === 'cell' || type === 'slice') {
      const base64 = (value as { readonly bytes?: unknown } | null)?.bytes
      if (typeof base64 === 'string') return { type, cell: parseUntrustedCell(base64, `stack entry ${i}`) }
    }
    throw new CocoonError('chain.bad-answer', { message: `stack entry ${i} is no number, cell or slice` })
  })
}

const signed = (text: string): bigint => (text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text))
