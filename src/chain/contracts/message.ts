/** Message bodies and payloads: an opcode and fields. One definition builds a message and reads it. */
import { beginCell, type Cell, type Slice } from '@ton/core'
import { CocoonError } from '../../util/index.ts'
import { type Layout, layout, uint, uint64 } from './layout.ts'

type Fields = Parameters<typeof layout>[1]
type ValuesOf<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends { load(from: Slice): infer T } ? T : never
}

export interface MessageLayout<T> {
  readonly name: string
  readonly op: number
  /** A cell of its own. */
  build(value: T): Cell
  /** Throws `chain.layout` for another opcode, a missing field, or anything after the last one. */
  read(body: Cell): T
  isIn(body: Cell): boolean
}

/** `op:u32` and fields. @param name what errors call it */
export function tagged<F extends Fields>(name: string, op: number, fields: F): MessageLayout<ValuesOf<F>> {
  const body = layout(name, { op: uint(32), ...fields }) as unknown as Layout<ValuesOf<F> & { readonly op: number }>
  return {
    name,
    op,
    build: (value) => body.storeCell({ ...value, op }),
    read(cell) {
      if (opcodeOf(cell) !== op)
        throw new CocoonError('chain.layout', { what: name, message: `${name}: the opcode is another` })
      return body.loadCell(cell)
    },
    isIn: (cell) => opcodeOf(cell) === op,
  }
}

/** `op:u32 query_id:u64` and fields: what contracts take. */
export const message = <F extends Fields>(
  name: string,
  op: number,
  fields: F,
): MessageLayout<{ readonly queryId: bigint } & ValuesOf<F>> =>
  tagged(name, op, { queryId: uint64, ...fields }) as MessageLayout<{ readonly queryId: bigint } & ValuesOf<F>>

/** The first 32 bits of a body; null where there are fewer. */
export function opcodeOf(body: Cell): number | null {
  return body.isExotic || body.bits.length < 32 ? null : body.beginParse().preloadUint(32)
}

/** A command as people type it in a wallet: one character, no query id. */
export const textCommand = tagged('text command', 0, { command: uint(8) })

/** Words for people, as wallets show them. */
export const textComment = (text: string): Cell => beginCell().storeUint(0, 32).storeStringTail(text).endCell()
