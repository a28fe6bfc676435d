/**
 * A process that runs a ledger until it is killed, and says on its standard output, a file, what peers would have been told.
 * Each line is written before anything else happens, so what stands there was said.
 *
 *   asked ID CLIENT WORKER TOKENS      a settlement begins
 *   told ID CLIENT-TOTAL WORKER-TOTAL  it is durable, and both sides learn their totals
 *   signed ROLE OWNER TOTAL            a total that a signature may stand for
 */
import { writeSync } from 'node:fs'
import { createFaults, FAULT } from '../../src/ledger/faults.ts'
import { createSqliteLedger, type Hold, NO_TOKENS } from '../../src/ledger/index.ts'
import { noMetrics, type Random, seededRandom, silentLog, systemClock, toHex } from '../../src/util/index.ts'
import { CONTRACT, type LedgerTask, OWNERS } from './ledger-task.ts'

const task = JSON.parse(process.argv[2] ?? '') as LedgerTask
const random: Random = seededRandom(task.seed)
const faults = createFaults()
faults[FAULT.dieAtStep] = task.dieAtStep ?? 0
const ledger = await createSqliteLedger(
  { clock: systemClock, log: silentLog, metrics: noMetrics },
  {
    path: task.path,
    contract: CONTRACT,
    pricePerToken: 1n,
    importFrom: task.importFrom,
    keepEntries: task.keepEntries,
    faults,
  },
)
const say = (...words: readonly (string | bigint)[]): void => void writeSync(1, `${words.join(' ')}\n`)
const pick = (names: readonly string[]): string => names[Math.floor(random.fraction() * names.length)] as string
const funds = { balanceNano: 10n ** 17n, stakeNano: 10n ** 17n, scTokensUsed: 0n }
for (const owner of OWNERS.client) ledger.openClient(owner, funds)
for (const owner of OWNERS.worker) ledger.openWorker(owner)
say('open')

async function settleOne(): Promise<void> {
  const [client, worker, id] = [pick(OWNERS.client), pick(OWNERS.worker), random.bytes(32)]
  const held = BigInt(Math.floor(random.fraction() * 1000))
  const used = (held * BigInt(Math.floor(random.fraction() * 100))) / 100n
  const hold = ledger.reserve(client, held) as Hold
  say('asked', toHex(id), client, worker, used)
  const settled = await ledger.settle(hold, worker, { ...NO_TOKENS, completion: used, total: used }, id)
  say('told', toHex(id), settled.client.totals.max, settled.worker.totals.max)
}

async function commit(): Promise<void> {
  await ledger.commit()
  for (const { owner, totals } of ledger.clients()) say('signed', 'client', owner, totals.chain)
  for (const { owner, totals } of ledger.workers()) say('signed', 'worker', owner, totals.chain)
  // With nothing to commit there is nothing to wait for, and nobody else would ever have a turn.
  await new Promise((resolve) => setImmediate(resolve))
}

if (task.do === 'load') {
  const forever = async (act: () => Promise<void>): Promise<never> => {
    for (;;) await act()
  }
  // Alone, in small groups and in large ones.
  const width = 1 + Math.floor(random.fraction() ** 3 * 60)
  await Promise.all([...Array.from({ length: width }, () => forever(settleOne)), forever(commit)])
} else {
  await settleOne()
  await Promise.all([settleOne(), commit()])
  await settleOne()
  // More than a thousand at once, so that old entries leave the journal.
  await Promise.all(Array.from({ length: 1_100 }, settleOne))
  await commit()
  await ledger.close()
  say('closed')
}
