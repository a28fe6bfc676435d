/**
 * What the contracts of clients and workers say, kept up to date: read once, then told by their notices in the history of the
 * proxy contract. A contract's own logical time decides which word is the newer one.
 */
import {
  Address,
  type ChainReader,
  clientContractAddress,
  type ProxyEvent,
  readContract,
  type RootParams,
  workerContractAddress,
} from '../../../chain/index.ts'
import type { Ledger, OwnerKey } from '../../../ledger/index.ts'
import { CocoonError, equalBytes, isZero } from '../../../util/index.ts'
import type { Standing } from './plan.ts'

export interface KnownClient extends Standing {
  readonly stakeNano: bigint
  /** SHA-256; zeros where the client has set none. */
  readonly secretHash: Uint8Array
  readonly lt: bigint
}
export interface KnownWorker extends Standing {
  readonly lt: bigint
}

export interface StandingsDeps {
  readonly reader: ChainReader
  readonly ledger: Ledger
  readonly params: RootParams
  readonly contract: Address
  readonly publicKey: Uint8Array
  /** Ends what is being read. */
  readonly signal: AbortSignal
  /** The client was promised its rest: nothing new may be used. */
  isLeaving(owner: OwnerKey): boolean
}

export interface Standings {
  clientContract(owner: OwnerKey): Address
  workerContract(owner: OwnerKey): Address
  client(owner: OwnerKey): KnownClient | undefined
  worker(owner: OwnerKey): KnownWorker | undefined
  /** Reads the contract. Throws `chain.*`, and `config.ledger-behind-chain` as `tell` does. */
  readClient(owner: OwnerKey): Promise<KnownClient>
  readWorker(owner: OwnerKey): Promise<KnownWorker>
  /** A notice. Throws `config.ledger-behind-chain` where a contract has seen more than this ledger ever signed. */
  tell(event: Exclude<ProxyEvent, { readonly kind: 'saveState' }>, lt: bigint): void
  /** After a promise was made. */
  refresh(owner: OwnerKey): void
}

const NOBODY = { state: 'absent', tokens: 0n, balanceNano: 0n, lt: -1n } as const
const NO_SECRET = new Uint8Array(32)

export function createStandings(deps: StandingsDeps): Standings {
  const { reader, ledger, params, signal } = deps
  const clients = new Map<OwnerKey, KnownClient>()
  const workers = new Map<OwnerKey, KnownWorker>()
  const addresses = { client: new Map<OwnerKey, Address>(), worker: new Map<OwnerKey, Address>() }

  /** Computed once: three cell hashes each. */
  function contractOf(role: 'client' | 'worker', owner: OwnerKey): Address {
    let address = addresses[role].get(owner)
    if (address === undefined) {
      const who = { owner: Address.parse(owner), proxy: deps.contract, proxyPublicKey: deps.publicKey }
      address = (role === 'client' ? clientContractAddress : workerContractAddress)(params, who)
      addresses[role].set(owner, address)
    }
    return address
  }

  function setClient(owner: OwnerKey, next: KnownClient): KnownClient {
    const before = clients.get(owner)
    if (before !== undefined && before.lt >= next.lt) return before
    expectSigned('client', owner, next.tokens, ledger.client(owner)?.totals.chain)
    clients.set(owner, next)
    fund(owner, next)
    return next
  }

  function fund(owner: OwnerKey, { state, balanceNano, stakeNano, tokens }: KnownClient): void {
    const isClosing = state === 'closing' || state === 'closed' || deps.isLeaving(owner)
    const funds = { balanceNano, stakeNano, scTokensUsed: tokens, isClosing }
    if (ledger.client(owner) === undefined) ledger.openClient(owner, funds)
    else ledger.fund(owner, funds)
  }

  function setWorker(owner: OwnerKey, next: KnownWorker): KnownWorker {
    const before = workers.get(owner)
    if (before !== undefined && before.lt >= next.lt) return before
    expectSigned('worker', owner, next.tokens, ledger.worker(owner)?.totals.chain)
    workers.set(owner, next)
    return next
  }

  return {
    clientContract: (owner) => contractOf('client', owner),
    workerContract: (owner) => contractOf('worker', owner),
    client: (owner) => clients.get(owner),
    worker: (owner) => workers.get(owner),
    async readClient(owner) {
      const { account, stored } = await readContract(reader, 'client', contractOf('client', owner), params, { signal })
      if (stored === null) return setClient(owner, { ...NOBODY, stakeNano: 0n, secretHash: NO_SECRET })
      const { state, balance, stake, tokensUsed, secretHash } = stored
      return setClient(owner, {
        state,
        tokens: tokensUsed,
        balanceNano: balance,
        stakeNano: stake,
        secretHash,
        lt: account.lastLt,
      })
    },
    async readWorker(owner) {
      const { account, stored } = await readContract(reader, 'worker', contractOf('worker', owner), params, { signal })
      if (stored === null) return setWorker(owner, NOBODY)
      return setWorker(owner, { state: stored.state, tokens: stored.tokens, balanceNano: 0n, lt: account.lastLt })
    },
    tell(event, lt) {
      const owner: OwnerKey = event.owner.toRawString()
      if (event.kind === 'worker') {
        setWorker(owner, { state: event.state, tokens: event.tokens, balanceNano: 0n, lt })
        return
      }
      const { state, balance, stake, tokensUsed, secretHash } = event.client
      setClient(owner, {
        state,
        tokens: tokensUsed,
        balanceNano: balance,
        stakeNano: stake,
        secretHash,
        lt,
      })
    },
    refresh(owner) {
      const known = clients.get(owner)
      if (known !== undefined) fund(owner, known)
    },
  }
}

/** SHA-256 of nothing: a secret that everybody knows. */
const EMPTY_SECRET_HASH = Buffer.from('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'hex')

/** Whether a contract's secret hash is good for short authorization. */
export const isRealSecret = (hash: Uint8Array): boolean => !isZero(hash) && !equalBytes(hash, EMPTY_SECRET_HASH)

/** Only this proxy's key signs totals, and only those that its ledger holds. */
function expectSigned(role: 'client' | 'worker', owner: OwnerKey, tokens: bigint, signed: bigint | undefined): void {
  if (tokens <= (signed ?? 0n)) return
  throw behindChain(
    `the ${role} contract of ${owner} was moved to ${tokens} tokens by this proxy’s signature, and the ledger knows of ${signed ?? 0n}`,
  )
}

/** The proof that a ledger is not the newest one of its proxy. */
export const behindChain = (why: string): CocoonError =>
  new CocoonError('config.ledger-behind-chain', {
    message: `the ledger is older than what this proxy has put on chain: ${why}. Bring the newest ledger back; is another process running with the same key? If the newest ledger is lost for good, begin a new contract with a new proxy key`,
  })
