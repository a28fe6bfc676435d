import type { ErrorCode } from '../util/index.ts'

/** What can be wrong with what we read of TON or of a network file, or with what we want TON to do. */
export type ChainErrorCode = Extract<ErrorCode, `chain.${string}`> &
  (
    | 'chain.address' // an account address does not parse
    | 'chain.cell' // bytes are not the bag of cells they should be
    | 'chain.layout' // a cell has not the fields it should have, or more than those
    | 'chain.signed-payment' // a signed payment breaks its layout, its contract or its signature
    | 'chain.network-file' // the network file is unreadable or a field of it is wrong
    | 'chain.contract-address' // a peer states another contract than its key and the registry give
    | 'chain.code-unknown' // a contract cannot be deployed: only the hash of its code is known
    | 'chain.unavailable' // no endpoint answered in time; `retryAfterMs` says when to ask again
    | 'chain.refused' // an endpoint understood us and will not do it
    | 'chain.bad-answer' // an endpoint's answer is not what it was asked for, or contradicts itself
    | 'chain.stale' // what we know or were told is too old to act on
    | 'chain.contradiction' // two endpoints, or two readings, cannot both be true
    | 'chain.struct-version' // the root contract is written in a layout that this release does not know
    | 'chain.test-flag' // the root contract is for test networks and the node is not, or the other way round
    | 'chain.other-network' // an endpoint serves another chain than the one that is meant
    | 'chain.clock' // this machine's clock is not the chain's: what is fresh or has expired cannot be told
    | 'chain.no-root' // there is no root contract at the address
    | 'chain.balance' // a wallet does not hold what a message and the reserve need
    | 'chain.wallet' // the account at a wallet's address is not the wallet of this key and owner, or it is blocked
    | 'chain.journal' // the journal of sent messages cannot be read or written
    | 'chain.journal-full' // no room on the disk for the journal of sent messages; over by itself when there is room again
    | 'chain.send-id' // an id was used before for other messages
    | 'chain.no-proxy' // there is no proxy contract of this network at the address
    | 'chain.not-owner' // the wallet that pays is not the one that a contract obeys
    | 'chain.frozen' // an account owes rent
    | 'chain.contract-code' // a contract is told to run another code than the one its address follows from
    | 'chain.order-failed' // a contract refused what it was told; the money came back
    | 'chain.order-lost' // an order was not sent, or has not arrived
    | 'chain.closed' // the sender was closed; what it had not finished continues when it is opened again
  )
