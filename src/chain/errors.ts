import type { ErrorCode } from '../util/index.ts'

/** What can be wrong with what we read of TON or of a network file. */
export type ChainErrorCode = Extract<ErrorCode, `chain.${string}`> &
  (
    | 'chain.address' // an account address does not parse
    | 'chain.cell' // bytes are not the bag of cells they should be
    | 'chain.signed-payment' // a signed payment breaks its layout, its contract or its signature
    | 'chain.network-file' // the network file is unreadable or a field of it is wrong
    | 'chain.contract-address' // a peer states another contract than its key and the registry give
  )
