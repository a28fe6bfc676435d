/** The code of our contracts (contracts/*.tolk), ready to deploy. */
import { fromHex } from '../../util/index.ts'
import { codeCell, type CodeCell, parseBoc } from '../cell-hash.ts'
import { COMPILED } from './compiled.ts'
import type { ContractCodes } from './params.ts'

export const ownCode = (contract: keyof typeof COMPILED): CodeCell & Required<Pick<CodeCell, 'cell'>> => {
  const cell = parseBoc(fromHex(COMPILED[contract].code), contract)
  return { ...codeCell(cell), cell }
}

/** What a root contract of ours hands out. */
export const ownCodes = (): ContractCodes => ({
  proxy: ownCode('proxy'),
  worker: ownCode('worker'),
  client: ownCode('client'),
})
