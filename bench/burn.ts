/**
 * What a proxy's payments burn: TON in fees for a million requests at the default thresholds, from contracts/gas.json and the
 * settings' defaults. `npm run burn` prints the table that stands in docs/payments.md.
 */
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { proxyOptions } from '../src/roles/proxy/index.ts'

interface Gas {
  /** Everything burned, the wallet's part included. */
  readonly endToEndNano: Readonly<Record<string, number>>
}

const REQUESTS = 1_000_000
/** The example of docs/payments.md: 600 prompt, 400 cached and 500 completion tokens at the public network's multipliers. */
const CLIENT_NANO = 92_800
const WORKER_NANO = 83_520
const STAKE_NANO = 1e9
const NANO = 1e9

/** The reference's nodes and contracts under the same policy, end to end through its wallet: published measurements, TON. */
const REFERENCE = { checkpoint: 0.0027876, charge: 0.01175, payout: 0.01539, deposit: 0.01353, checkpointEveryS: 45 }

export interface Burn {
  readonly perSecond: number
  readonly checkpoints: number
  readonly charges: number
  readonly payouts: number
  readonly deposits: number
  readonly ours: number
  readonly reference: number
}

export function burnAt(perSecond: number, gas: Gas): Burn {
  const { chain } = proxyOptions.parse({})
  const fee = (order: string): number => {
    const nano = gas.endToEndNano[order]
    if (nano === undefined) throw new RangeError(`gas.json has no "${order}"`)
    return nano / NANO
  }
  const seconds = REQUESTS / perSecond
  const dueS = Math.min(chain.checkpointAfterMs / 1000, (chain.checkpointAtTon * NANO) / (perSecond * CLIENT_NANO))
  const checkpoints = Math.ceil(seconds / Math.max(dueS, chain.checkpointEveryMs / 1000))
  const charges = Math.floor((REQUESTS * CLIENT_NANO) / (chain.chargeAtTon * NANO))
  const payouts = Math.floor((REQUESTS * WORKER_NANO) / (chain.payoutAtTon * NANO))
  const deposits = Math.ceil((REQUESTS * CLIENT_NANO) / STAKE_NANO)
  const ours =
    checkpoints * fee('proxy checkpoint') +
    charges * fee('client charge') +
    payouts * fee('worker payout') +
    deposits * fee('client top up')
  const reference =
    (seconds / REFERENCE.checkpointEveryS) * REFERENCE.checkpoint +
    charges * REFERENCE.charge +
    payouts * REFERENCE.payout +
    deposits * REFERENCE.deposit
  return { perSecond, checkpoints, charges, payouts, deposits, ours, reference }
}

export function burnTable(): string {
  const gas = JSON.parse(readFileSync(new URL('../contracts/gas.json', import.meta.url), 'utf8')) as Gas
  const rows = [1, 10, 100].map((perSecond) => burnAt(perSecond, gas))
  return [
    '| requests/s | checkpoints | charges | payouts | deposits | TON burned | reference, same thresholds |',
    '|---|---|---|---|---|---|---|',
    ...rows.map(
      (r) =>
        `| ${r.perSecond} | ${r.checkpoints} | ${r.charges} | ${r.payouts} | ${r.deposits} | ${r.ours.toFixed(2)} | ${r.reference.toFixed(2)} |`,
    ),
  ].join('\n')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.stdout.write(`${burnTable()}\n`)
