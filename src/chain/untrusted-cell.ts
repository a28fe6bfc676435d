/** Cells from people we do not trust: bounded before anybody walks through them. */
import { Cell } from '@ton/core'
import { CocoonError } from '../util/index.ts'

/**
 * Cells in all when shared ones are counted each time they are reached. A bag of a hundred cells can unfold to 2^100: whoever
 * reads a dictionary in it would never end. A root registry with a thousand hashes and the code of three contracts
 * unfolds to under ten thousand.
 */
const MAX_UNFOLDED_CELLS = 200_000

/** One root cell of a bag of cells in Base64; throws `chain.bad-answer` naming `field`. */
export function parseUntrustedCell(base64: string, field: string): Cell {
  let root: Cell
  try {
    const roots = Cell.fromBoc(Buffer.from(base64, 'base64'))
    if (roots.length !== 1 || roots[0] === undefined) throw new RangeError(`${roots.length} roots`)
    root = roots[0]
  } catch (cause) {
    throw new CocoonError(
      'chain.bad-answer',
      { field, message: `${field} is not a bag of cells with one root` },
      { cause },
    )
  }
  const cells = unfoldedSize(root)
  if (cells > MAX_UNFOLDED_CELLS)
    throw new CocoonError('chain.bad-answer', {
      field,
      message: `${field} unfolds to more than ${MAX_UNFOLDED_CELLS} cells`,
    })
  return root
}

/** In one step per cell: what a shared cell unfolds to is counted once and added often. Depth is at most 1024. */
function unfoldedSize(root: Cell): number {
  const known = new Map<Cell, number>()
  const size = (cell: Cell): number => {
    const before = known.get(cell)
    if (before !== undefined) return before
    const own = cell.refs.reduce((sum, ref) => sum + size(ref), 1)
    known.set(cell, own)
    return own
  }
  return size(root)
}
