/**
 * Cells as definitions: one description of a cell's fields stores it and loads it. Loading is strict: every field must be
 * there, and nothing after the last one.
 */
import { type Address, beginCell, type Builder, type Cell, type Slice } from '@ton/core'
import { CocoonError } from '../../util/index.ts'

export interface Field<T> {
  store(into: Builder, value: T): void
  load(from: Slice): T
}

interface AnyField {
  store(into: Builder, value: never): void
  load(from: Slice): unknown
}
type Fields = Readonly<Record<string, AnyField>>
type ValuesOf<F extends Fields> = { readonly [K in keyof F]: F[K] extends { load(from: Slice): infer T } ? T : never }

export interface Layout<T> extends Field<T> {
  readonly name: string
  storeCell(value: T): Cell
  /** Throws `chain.layout` naming the field, also when something follows the last one. */
  loadCell(cell: Cell): T
  /** The same, whatever follows: later states of contracts may have more fields than we know. */
  loadPrefix(cell: Cell): T
}

export type LoadedOf<L> = L extends { loadCell(cell: Cell): infer T } ? T : never

/** @param name what errors call the cell */
export function layout<F extends Fields>(name: string, fields: F): Layout<ValuesOf<F>> {
  const entries = Object.entries(fields)
  const load = (from: Slice): ValuesOf<F> => {
    const values: Record<string, unknown> = {}
    for (const [field, codec] of entries)
      try {
        values[field] = codec.load(from)
      } catch (cause) {
        if (cause instanceof CocoonError) throw cause
        throw refuse(name, field, 'is missing or malformed', cause)
      }
    return values as ValuesOf<F>
  }
  const store = (into: Builder, value: ValuesOf<F>): void => {
    for (const [field, codec] of entries) codec.store(into, value[field] as never)
  }
  return {
    name,
    load,
    store,
    storeCell(value) {
      const into = beginCell()
      store(into, value)
      return into.endCell()
    },
    loadPrefix: (cell) => load(sliceOf(cell, name)),
    loadCell(cell) {
      const from = sliceOf(cell, name)
      const value = load(from)
      expectEnd(from, name)
      return value
    },
  }
}

/** Throws `chain.layout` unless the slice is used up. */
export function expectEnd(from: Slice, name: string): void {
  if (from.remainingBits > 0 || from.remainingRefs > 0)
    throw new CocoonError('chain.layout', {
      what: name,
      message: `${name}: ${from.remainingBits} bits and ${from.remainingRefs} references follow the last field`,
    })
}

const refuse = (name: string, field: string, problem: string, cause?: unknown): CocoonError =>
  new CocoonError('chain.layout', { what: name, field, message: `${name}: ${field} ${problem}` }, { cause })

/** A pruned or library cell holds no fields. */
function sliceOf(cell: Cell, name: string): Slice {
  if (cell.isExotic) throw refuse(name, 'cell', 'is not an ordinary cell')
  return cell.beginParse()
}

/** At most 32 bits. */
export const uint = (bits: number): Field<number> => ({
  store: (into, value) => into.storeUint(value, bits),
  load: (from) => from.loadUint(bits),
})

export const int32: Field<number> = { store: (into, v) => into.storeInt(v, 32), load: (from) => from.loadInt(32) }
export const uint64: Field<bigint> = { store: (into, v) => into.storeUint(v, 64), load: (from) => from.loadUintBig(64) }
/** nanoTON */
export const coins: Field<bigint> = { store: (into, value) => into.storeCoins(value), load: (from) => from.loadCoins() }
/** `addr_std` without anycast, 267 bits. */
export const address: Field<Address> = {
  store: (into, value) => into.storeAddress(value),
  load: (from) => from.loadAddress(),
}

export const bytes = (length: number): Field<Uint8Array> => ({
  store(into, value) {
    if (value.length !== length) throw new CocoonError('bug.cell-bytes', { length, got: value.length })
    into.storeBuffer(Buffer.from(value))
  },
  load: (from) => new Uint8Array(from.loadBuffer(length)),
})

/** `^X` as it is. */
export const anyCell: Field<Cell> = { store: (into, value) => into.storeRef(value), load: (from) => from.loadRef() }
export const maybeCell: Field<Cell | null> = {
  store: (into, value) => into.storeMaybeRef(value),
  load: (from) => from.loadMaybeRef(),
}

export const refTo = <T>(inner: Layout<T>): Field<T> => ({
  store: (into, value) => into.storeRef(inner.storeCell(value)),
  load: (from) => inner.loadCell(from.loadRef()),
})

/** `state:u2` of proxy, client and worker contracts. */
export type ContractState = 'normal' | 'closing' | 'closed'
const STATES: readonly ContractState[] = ['normal', 'closing', 'closed']
export const contractState: Field<ContractState> = {
  store: (into, value) => into.storeUint(STATES.indexOf(value), 2),
  load(from) {
    const state = STATES[from.loadUint(2)]
    if (state === undefined) throw new RangeError('no such state')
    return state
  },
}

/** `kind:bit(=0) length:u7 text`: ASCII text of at most 127 bytes. */
export const netAddress: Field<string> = {
  store(into, text) {
    const ascii = Buffer.from(text, 'latin1')
    if (ascii.length > 127) throw new CocoonError('bug.net-address', { length: ascii.length })
    into.storeBit(0).storeUint(ascii.length, 7).storeBuffer(ascii)
  },
  load(from) {
    if (from.loadBit()) throw new RangeError('kind 1 is not known')
    return from.loadBuffer(from.loadUint(7)).toString('latin1')
  },
}
