import { describe, expect, test } from 'vitest'
import { vectorBytes } from '../../../test/support/attestation-vectors.ts'
import { amdItems, itemsOfCase, nvidiaItems } from '../../../test/support/collateral-vectors.ts'
import { pem } from '../../../test/support/dcap-maker.ts'
import { dcapCases, vector } from '../../../test/support/dcap-vectors.ts'
import { utf8 } from '../../util/index.ts'
import { parseDcapQuote } from '../quote/index.ts'
import { nodeVerifyCrypto } from '../x509/crypto-node.ts'
import { readPem } from '../x509/index.ts'
import { type CollateralItem, collateralItem } from './item.ts'
import { mergeItem, wantKey, wantOfItem } from './merge.ts'
import { faultOfItem } from './verify-item.ts'

const at = (item: CollateralItem): number => item.validFromMs + 60_000
const faultOf = (
  item: CollateralItem,
  known: readonly CollateralItem[] = [],
  nowMs = at(item),
): Promise<string | null> =>
  faultOfItem(item, { crypto: nodeVerifyCrypto, nowMs, known: { madeAtMs: 0, items: known } })

/** Recorded from Intel, with Intel's own root, each once. */
const intel = [
  ...new Map(
    dcapCases
      .filter((one) => one.collateral.root.startsWith('collateral/chain/') && one.expect.error === undefined)
      .flatMap((one) => {
        const [, ca, root] = readPem(parseDcapQuote(vector(one.quote)).certificationData.bytes)
        return itemsOfCase(one).map((item) =>
          item.type === 'intel-pck-crl' && ca !== undefined && root !== undefined
            ? collateralItem({ type: item.type, body: item.body, issuerChain: utf8(pem(ca, root)) })
            : item,
        )
      })
      .map((item) => [`${item.type} ${JSON.stringify(item.labels)} ${item.validFromMs}`, item]),
  ).entries(),
]

describe('what Intel published', () => {
  test('is there in every kind', () => {
    expect(new Set(intel.map(([, item]) => item.type))).toEqual(
      new Set(['intel-tcb-info', 'intel-qe-identity', 'intel-pck-crl', 'intel-root-crl']),
    )
  })

  test.each(intel)('%s is genuine in its time, and not after it', async (_, item) => {
    expect(await faultOf(item)).toBeNull()
    expect(await faultOf(item, [], item.validUntilMs)).toBeNull()
    expect(await faultOf(item, [], item.validUntilMs + 1000)).toContain('expired')
    expect(await faultOf(item, [], item.validFromMs - 600_000)).toContain('not valid before')
  })

  test('with any digit of its signature changed is not', async () => {
    for (const [, item] of intel.filter(([, one]) => one.type === 'intel-tcb-info').slice(0, 5)) {
      const body = item.body.slice()
      // The signature is the last field: hex, a quote, a brace.
      const last = body.length - 10
      body[last] = body[last] === 0x30 ? 0x31 : 0x30
      expect(await faultOf({ ...item, body })).toContain('signature')
    }
  })
})

describe('what AMD and NVIDIA published', () => {
  const [chains, leaves] = ['amd-chain', 'amd-leaf'].map((type) => amdItems().filter((item) => item.type === type))

  test('chains are genuine, and leaves only beside their chain', async () => {
    for (const chain of chains ?? []) expect(await faultOf(chain)).toBeNull()
    for (const leaf of leaves ?? []) {
      expect(await faultOf(leaf, chains)).toBeNull()
      expect(await faultOf(leaf)).toContain('no chain')
    }
  })

  test('a chain whose root is another line’s is not', async () => {
    const [milan, genoa] = ['milan', 'genoa'].map((name) => readPem(vectorBytes(`snp/chain/${name}.pem`)))
    const body = utf8(pem(milan?.[0] as Uint8Array, genoa?.[1] as Uint8Array))
    expect(await faultOf(collateralItem({ type: 'amd-chain', body }))).toContain('not certified')
  })

  test('manifests are genuine', async () => {
    for (const manifest of nvidiaItems()) expect(await faultOf(manifest)).toBeNull()
  })
})

describe('of two items about the same thing', () => {
  const editions = intel.map(([, item]) => item).filter((item) => item.type === 'intel-tcb-info')
  const evaluationOf = (item: CollateralItem): number => Number(item.labels['evaluation'])
  const isLater = (a: CollateralItem, b: CollateralItem): boolean =>
    wantKey(wantOfItem(a)) === wantKey(wantOfItem(b)) &&
    a.validFromMs < b.validFromMs &&
    evaluationOf(a) <= evaluationOf(b)
  const [one, other] = editions.flatMap((a) => editions.filter((b) => isLater(a, b)).map((b) => [a, b]))[0] as [
    CollateralItem,
    CollateralItem,
  ]

  test('the newer is kept, in whatever order they come', () => {
    expect(mergeItem([one], other, other.validFromMs)).toEqual([other])
    expect(mergeItem([other], one, other.validFromMs)).toEqual([other])
  })

  test('one that is valid is kept before one that has ended, and nothing is kept twice', () => {
    const list = [other]
    expect(mergeItem(list, other, other.validFromMs)).toBe(list)
    const ended = { ...other, validUntilMs: one.validFromMs - 1 }
    expect(mergeItem([ended], one, one.validFromMs)).toEqual([one])
  })
})
