/**
 * A program that gives evidence, as operators may configure one: report data in on standard input, a quote out. The hardware
 * behind it exists in tests only. Arguments: a file with the platform's keys, the time at which it is good.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fromHex, toBase64 } from '../../src/util/index.ts'
import { type KeyPair, makeWorld, type World } from './dcap-maker.ts'

type Name = keyof World['keys']
const NAMES: readonly Name[] = ['root', 'ca', 'leaf', 'signer']

/** For the file. */
export const keysText = (keys: World['keys']): string =>
  JSON.stringify(
    Object.fromEntries(NAMES.map((name) => [name, keys[name].privateKey.export({ format: 'pem', type: 'pkcs8' })])),
  )

function readKeys(path: string): World['keys'] {
  const pems = JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<Name, string>>
  const pair = (privateKey: KeyObject): KeyPair => ({
    privateKey,
    spki: Uint8Array.from(createPublicKey(privateKey).export({ format: 'der', type: 'spki' })),
  })
  return {
    root: pair(createPrivateKey(pems.root)),
    ca: pair(createPrivateKey(pems.ca)),
    leaf: pair(createPrivateKey(pems.leaf)),
    signer: pair(createPrivateKey(pems.signer)),
  }
}

if (import.meta.main) {
  const [path, nowMs] = process.argv.slice(2) as [string, string]
  const reportData = fromHex((await text(process.stdin)).trim())
  const { quote } = makeWorld({ keys: readKeys(path), nowMs: Number(nowMs), reportData })
  process.stdout.write(JSON.stringify({ kind: 'tdx', quote: toBase64(quote) }))
}
