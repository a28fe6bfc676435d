/**
 * Proof of work before TLS: the acceptor sends 24 bytes, the initiator answers with 12. It makes handshakes cost their
 * opener something; it proves nothing about anybody. Source: spec/transport.md, "Proof of work".
 */
import { createHash } from 'node:crypto'
import { transportError } from './errors.ts'

export const POW_CHALLENGE_BYTES = 24
export const POW_RESPONSE_BYTES = 12
export const POW_SALT_BYTES = 16
/** Cost of 2^20 hashes: the network's usual demand. */
export const DEFAULT_POW_DIFFICULTY = 20
/** What an initiator is willing to do unless told otherwise: 2^28 hashes, about a minute. */
export const DEFAULT_MAX_POW_DIFFICULTY = 28
/** Only 64 bits of the hash are looked at. */
export const MAX_POW_DIFFICULTY = 64

const CHALLENGE_MAGIC = 0x418e1291
const RESPONSE_MAGIC = 0x01827319

export interface PowChallenge {
  /** Leading zero bits demanded. 0 or less is met by any nonce. */
  readonly difficulty: number
  /** 16 bytes. */
  readonly salt: Uint8Array
}

export function encodePowChallenge(challenge: PowChallenge): Buffer {
  const out = Buffer.alloc(POW_CHALLENGE_BYTES)
  out.writeUInt32LE(CHALLENGE_MAGIC, 0)
  out.writeInt32LE(challenge.difficulty, 4)
  out.set(challenge.salt, 8)
  return out
}

/** Throws `protocol.pow-magic`, and `protocol.pow-difficulty` above `maxDifficulty`. */
export function decodePowChallenge(bytes: Buffer, maxDifficulty: number): PowChallenge {
  if (bytes.length !== POW_CHALLENGE_BYTES || bytes.readUInt32LE(0) !== CHALLENGE_MAGIC)
    throw transportError('protocol.pow-magic')
  const difficulty = bytes.readInt32LE(4)
  if (difficulty > maxDifficulty) throw transportError('protocol.pow-difficulty', { difficulty, max: maxDifficulty })
  return { difficulty, salt: Uint8Array.from(bytes.subarray(8)) }
}

export function encodePowResponse(nonce: bigint): Buffer {
  const out = Buffer.alloc(POW_RESPONSE_BYTES)
  out.writeUInt32LE(RESPONSE_MAGIC, 0)
  out.writeBigUInt64LE(BigInt.asUintN(64, nonce), 4)
  return out
}

/** The nonce as an unsigned number; throws `protocol.pow-magic`. */
export function decodePowResponse(bytes: Buffer): bigint {
  if (bytes.length !== POW_RESPONSE_BYTES || bytes.readUInt32LE(0) !== RESPONSE_MAGIC)
    throw transportError('protocol.pow-magic')
  return bytes.readBigUInt64LE(4)
}

/** Throws `protocol.pow-invalid` unless the nonce meets the challenge. */
export function verifyPow(challenge: PowChallenge, nonce: bigint): void {
  const bits = powZeroBits(challenge.salt, nonce)
  if (bits < challenge.difficulty)
    throw transportError('protocol.pow-invalid', { bits, difficulty: challenge.difficulty })
}

/**
 * Zero bits of SHA-256(salt ‖ nonce, 8 bytes LE), counted from the top of its first eight bytes read as one
 * little-endian number: byte 7 first, byte 0 last.
 */
export function powZeroBits(salt: Uint8Array, nonce: bigint): number {
  const tail = Buffer.alloc(8)
  tail.writeBigUInt64LE(BigInt.asUintN(64, nonce))
  const hash = createHash('sha256').update(salt).update(tail).digest()
  const high = Math.clz32(hash.readUInt32LE(4))
  return high < 32 ? high : 32 + Math.clz32(hash.readUInt32LE(0))
}
