/** Messages that several contracts send or take. */
import { message } from './message.ts'

export const commonMessages = {
  /** What an order did not use, back to whom the order named. */
  excesses: message('excesses', 0x2565934c, {}),
  /** Earned or refunded money, to an owner. */
  payout: message('payout', 0xc59a7cd3, {}),
} as const

/** What contracts end a computation with, when it is not 0. Source: contract sources, and TVM for numbers below 100. */
export const EXIT_CODES: Readonly<Record<number, string>> = {
  5: 'an amount is out of range: the contract lacks TON, or the fee is above the price',
  9: 'the body is too short, or something follows its last field',
  34: 'a message cannot be sent: its destination is invalid',
  37: 'not enough TON for a message',
  1000: 'an old message: its total is not above the stored one, or its key has expired',
  1001: 'too little TON on the contract, or no balance above the stake',
  1002: 'low balance',
  1003: 'too little TON came with the message, or the new stake is not above the old one',
  1004: 'a network address of an unknown kind',
  1005: 'the signed part belongs to another message',
  1006: 'the contract is closed or in another state',
  1007: 'the signature is not valid',
  1008: 'the contract was made for another layout of parameters',
  1009: 'only the owner may do this',
  1010: 'only the owner may do this',
  1011: 'too early: the delay is not over',
  1012: 'an unknown message',
  1013: 'an unknown text command',
  1014: 'the sender is not the contract that its owner and key give',
  1015: 'the signed part is for another contract',
  1030: 'wallet: the message has expired',
  1031: 'wallet: its owner has blocked the key',
  1032: 'wallet: another sequence number is due',
  1033: 'wallet: another subwallet',
  1034: 'wallet: the signature is not valid',
  1035: 'wallet: its balance is below what it keeps',
  1040: 'wallet: only the owner may do this',
  1041: 'wallet: an unknown command',
  1100: 'an address to pay to is not one of this network',
  1101: 'parameters out of range: the price may not be 0 nor below the fee, delays at most 30 days',
  1102: 'a key of the kind that anybody can sign for',
  1103: 'there is no key manager',
  1104: 'the signed message is too late',
  1105: 'the signed message is for another version of the root',
  1106: 'wallet: a mode that would empty or delete it',
  2000: 'no such registered proxy',
}
