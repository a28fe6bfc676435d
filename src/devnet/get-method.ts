/** Running a get method on what a view shows. */
import { type Address, getMethodId, type TupleItem } from '@ton/core'
import type { View } from './view.ts'
import type { GetOutcome, Vm } from './vm.ts'

/** What lite servers answer for an account without code. */
const NOT_INITIALIZED = -13

/** By name, or by number where a caller has one. */
export async function runGetMethod(
  vm: Vm,
  view: View,
  call: { readonly address: Address; readonly method: string | number; readonly stack: TupleItem[] },
): Promise<GetOutcome> {
  const { code, data, balance } = view.account(call.address.toRawString())
  if (code === null || data === null) return { exitCode: NOT_INITIALIZED, gasUsed: 0n, stack: [] }
  const seed = Buffer.from(view.block.hash, 'hex')
  const methodId = typeof call.method === 'number' ? call.method : getMethodId(call.method)
  const { address, stack } = call
  return await vm.get({ address, code, data, balance, methodId, stack, now: view.now, seed })
}
