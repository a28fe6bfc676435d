/**
 * Representation hashes of ordinary cells from their bits and the hashes of their children. Contract addresses need only
 * hash and depth of the code, so code never has to be serialised again.
 */
import { createHash } from 'node:crypto'
import { Cell, type BitString, beginCell, type Builder } from '@ton/core'
import { CocoonError } from '../util/index.ts'

/** What a parent cell knows of a child. */
export interface CellDigest {
  /** 32-byte representation hash. */
  readonly hash: Uint8Array
  readonly depth: number
}

/** Code of a contract: its digest gives addresses, the cell itself is needed to deploy. */
export interface CodeCell extends CellDigest {
  readonly cell?: Cell
}

export const codeCell = (cell: Cell): CodeCell => ({ ...digestOf(cell), cell })

export const digestOf = (cell: Cell): CellDigest => ({ hash: new Uint8Array(cell.hash()), depth: cell.depth() })

/** Digest of the ordinary cell with these bits and children, in order. */
export function digestCell(bits: Builder, refs: readonly CellDigest[]): CellDigest {
  const body = bits.endCell().bits
  const depth = refs.length === 0 ? 0 : 1 + Math.max(...refs.map((r) => r.depth))
  const hash = createHash('sha256')
  hash.update(Uint8Array.of(refs.length, Math.floor(body.length / 8) + Math.ceil(body.length / 8)))
  hash.update(paddedBits(body))
  for (const { depth: d } of refs) hash.update(Uint8Array.of(d >> 8, d & 0xff))
  for (const { hash: h } of refs) hash.update(h)
  return { hash: new Uint8Array(hash.digest()), depth }
}

/** One root cell of a serialised bag of cells; throws `chain.cell`. */
export function parseBoc(bytes: Uint8Array, field: string): Cell {
  try {
    const roots = Cell.fromBoc(Buffer.from(bytes))
    const [root] = roots
    if (root === undefined || roots.length !== 1) throw new RangeError(`${roots.length} roots`)
    return root
  } catch (cause) {
    throw new CocoonError('chain.cell', { field, message: `${field} is not a bag of cells with one root` }, { cause })
  }
}

/** Whole bytes; an incomplete last byte gets a one and zeros behind its bits. */
function paddedBits(bits: BitString): Uint8Array {
  const padded = beginCell().storeBits(bits)
  if (bits.length % 8 !== 0) {
    padded.storeBit(1)
    while (padded.bits % 8 !== 0) padded.storeBit(0)
  }
  const whole = padded.endCell().bits
  const out = whole.subbuffer(0, whole.length)
  if (out === null) throw new CocoonError('bug.cell-bits')
  return out
}
