/**
 * The real TVM, as WebAssembly inside `@ton/sandbox`: a function from (account, message, time, lt, seed) to (transaction,
 * account). It keeps nothing between calls, so a chain can be replayed, branched and looked at in the past.
 */
import { type Address, beginCell, Cell, Dictionary, parseTuple, type TupleItem } from '@ton/core'
import { defaultConfig, Executor } from '@ton/sandbox'
import type { Log } from '../util/index.ts'

/** Gas of one get method, as lite servers allow. */
const GET_METHOD_GAS = 1_000_000n

/** Validator sets of the main network: 100 KB that every call would have to parse. No contract of ours reads them. */
const DROPPED_PARAMS = [32, 34, 36]

export interface RunInput {
  /** Shard account, a bag of cells in Base64. */
  readonly account: string
  readonly message: Cell
  /** Seconds. */
  readonly now: number
  readonly lt: bigint
  readonly seed: Buffer
  readonly ignoreSignatures?: boolean
}

export type RunOutcome =
  | { readonly is: 'done'; readonly transaction: string; readonly account: string }
  | { readonly is: 'refused'; readonly why: string; readonly exitCode: number | null }

export interface GetInput {
  readonly address: Address
  readonly code: Cell
  readonly data: Cell
  readonly balance: bigint
  readonly methodId: number
  readonly stack: TupleItem[]
  readonly now: number
  readonly seed: Buffer
}

export interface GetOutcome {
  readonly exitCode: number
  readonly gasUsed: bigint
  readonly stack: TupleItem[]
}

export interface Vm {
  run(input: RunInput): Promise<RunOutcome>
  get(input: GetInput): Promise<GetOutcome>
  /** One parameter of the network's configuration. */
  configParam(index: number): Cell | null
}

/** A shard account that does not exist yet. */
export const NO_ACCOUNT = beginCell()
  .storeRef(beginCell().storeBit(false).endCell())
  .storeUint(0, 256)
  .storeUint(0, 64)
  .endCell()
  .toBoc()
  .toString('base64')

export async function createVm(log: Log): Promise<Vm> {
  const params = Dictionary.loadDirect(
    Dictionary.Keys.Int(32),
    Dictionary.Values.Cell(),
    Cell.fromBase64(defaultConfig),
  )
  for (const param of DROPPED_PARAMS) params.delete(param)
  const config = beginCell().storeDictDirect(params).endCell().toBoc().toString('base64')
  let executor = await Executor.create()

  /** A trap leaves the module's memory in an unknown state: the next call gets a new one. */
  async function guarded<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      log.warn('the emulator failed and is started anew', { error: String(error) })
      executor = await Executor.create()
      throw error
    }
  }

  return {
    async run({ account, message, now, lt, seed, ignoreSignatures = false }) {
      let result: Awaited<ReturnType<Executor['runTransaction']>>['result']
      try {
        ;({ result } = await guarded(() =>
          executor.runTransaction({
            config,
            libs: null,
            verbosity: 'short',
            shardAccount: account,
            message,
            now,
            lt,
            randomSeed: seed,
            ignoreChksig: ignoreSignatures,
            debugEnabled: false,
          }),
        ))
      } catch (error) {
        return { is: 'refused', why: `emulator: ${String(error)}`, exitCode: null }
      }
      if (result.success) return { is: 'done', transaction: result.transaction, account: result.shardAccount }
      return { is: 'refused', why: result.error, exitCode: result.vmResults?.vmExitCode ?? null }
    },
    async get({ address, code, data, balance, methodId, stack, now, seed }) {
      const { output } = await guarded(() =>
        executor.runGetMethod({
          code,
          data,
          methodId,
          stack,
          config,
          verbosity: 'short',
          address,
          unixTime: now,
          balance,
          randomSeed: seed,
          gasLimit: GET_METHOD_GAS,
          debugEnabled: false,
        }),
      )
      if (!output.success) throw new TypeError(output.error)
      return {
        exitCode: output.vm_exit_code,
        gasUsed: BigInt(output.gas_used),
        stack: parseTuple(Cell.fromBase64(output.stack)),
      }
    },
    configParam: (index) => params.get(index) ?? null,
  }
}
