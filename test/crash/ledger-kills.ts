/** Kills ledger processes, and holds what their files say against what they had told. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect } from 'vitest'
import { openStore } from '../../src/ledger/open-store.ts'
import { readSnapshot } from '../../src/ledger/snapshot.ts'
import { type Random, toHex } from '../../src/util/index.ts'
import { until } from '../support/network.ts'
import { CONTRACT, EARLIER, EARLIER_TOTAL, type LedgerTask, OWNERS } from './ledger-task.ts'

export interface KilledLedger {
  /** Runs the process until it kills itself at its n-th step. False when it came to its end before. */
  dieAtStep(n: number, seed: number): Promise<boolean>
  /** Runs the process under load and kills it at an instant that `random` draws. */
  dieUnderLoad(random: Random): Promise<void>
  /** Runs the process, and calls `act` with an attempt to open its file while it settles; then kills it. */
  whileUnderLoad(act: (open: () => unknown, pid: number) => void): Promise<void>
  /** Opens the file as the next start would, and compares. Returns how many settlements it holds. */
  expectNothingLost(): number
  remove(): void
}

interface Asked {
  readonly client: string
  readonly worker: string
  readonly tokens: bigint
}

/** A start of the process takes a few hundred milliseconds; kills fall into it, into recovery and into the load. */
const KILL_WITHIN_MS = 900

/** @param keepEntries large enough, every settlement can be looked up; small, entries leave the journal under way */
export function startKilling(keepEntries: number): KilledLedger {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-crash-'))
  const path = join(folder, 'ledger.sqlite')
  const importFrom = join(folder, 'earlier.json')
  writeFileSync(importFrom, JSON.stringify(EARLIER))
  const asked = new Map<string, Asked>()
  const told = new Set<string>()
  /** The highest totals that anybody was told, by `role owner`. */
  const promised = new Map<string, bigint>()
  const signed = new Map<string, bigint>()
  const raise = (map: Map<string, bigint>, key: string, to: bigint): void => {
    if (to > (map.get(key) ?? 0n)) map.set(key, to)
  }

  function hear(line: string): void {
    const [what, ...words] = line.split(' ') as [string, ...string[]]
    if (what === 'asked') {
      const [id, client, worker, tokens] = words as [string, string, string, string]
      asked.set(id, { client, worker, tokens: BigInt(tokens) })
    } else if (what === 'told') {
      const [id, clientTotal, workerTotal] = words as [string, string, string]
      const { client, worker } = asked.get(id) as Asked
      told.add(id)
      raise(promised, `client ${client}`, BigInt(clientTotal))
      raise(promised, `worker ${worker}`, BigInt(workerTotal))
    } else if (what === 'signed') raise(signed, `${words[0]} ${words[1]}`, BigInt(words[2] as string))
  }

  const said = (): string => readFileSync(join(folder, 'said'), 'utf8')

  async function run(
    task: Pick<LedgerTask, 'do' | 'seed' | 'dieAtStep'>,
    started: (child: ChildProcess) => void,
  ): Promise<boolean> {
    const full: LedgerTask = { ...task, path, importFrom, keepEntries }
    const program = join(import.meta.dirname, 'ledger-process.ts')
    const output = openSync(join(folder, 'said'), 'w')
    const child = spawn(process.execPath, [program, JSON.stringify(full)], { stdio: ['ignore', output, 'pipe'] })
    closeSync(output)
    let errors = ''
    child.stderr?.on('data', (data) => (errors += data))
    started(child)
    await new Promise((resolve) => child.once('close', resolve))
    // A line that was cut by the kill was not said.
    for (const line of said().split('\n').slice(0, -1)) hear(line)
    if (child.signalCode !== 'SIGKILL' && child.exitCode !== 0) throw new Error(`the ledger process failed: ${errors}`)
    return child.signalCode === 'SIGKILL'
  }

  /** As the next start finds them. */
  function totals(): Map<string, { readonly total: bigint; readonly chain: bigint }> {
    const accounts = readSnapshot(importFrom)
    const earlier = accounts === null ? undefined : { file: importFrom, accounts }
    const opened = openStore({ path, contract: CONTRACT, keepEntries, earlier }, () => undefined)
    opened.store.close()
    return new Map(opened.accounts.map((account) => [`${account.role} ${account.owner}`, account]))
  }

  return {
    dieAtStep: (dieAtStep, seed) => run({ do: 'script', seed, dieAtStep }, () => undefined),
    async dieUnderLoad(random) {
      const seed = Math.floor(random.fraction() * 2 ** 31)
      const afterMs = random.fraction() * KILL_WITHIN_MS
      await run({ do: 'load', seed }, (child) => setTimeout(() => child.kill('SIGKILL'), afterMs))
    },
    async whileUnderLoad(act) {
      let acted: Promise<void> = Promise.resolve()
      await run({ do: 'load', seed: 1 }, (child) => {
        acted = until(() => said().includes('told '), 'the process settles')
          .then(() => act(totals, child.pid as number))
          .finally(() => child.kill('SIGKILL'))
      })
      await acted
    },
    expectNothingLost() {
      const found = totals()
      const of = (key: string): { total: bigint; chain: bigint } => found.get(key) ?? { total: 0n, chain: 0n }
      for (const [key, total] of promised)
        expect(of(key).total, `${key} was told ${total}`).toBeGreaterThanOrEqual(total)
      for (const [key, total] of signed) expect(of(key).chain, `${key} has a signature`).toBeGreaterThanOrEqual(total)
      for (const { total, chain } of found.values()) expect(chain).toBeLessThanOrEqual(total)
      const { entries, folded } = journalOf(path)
      if (folded === 0n) {
        const ids = entries.map((entry) => entry.id)
        expect(new Set(ids).size, 'each settlement is there once').toBe(ids.length)
        for (const { id, ...entry } of entries) expect(entry).toEqual(asked.get(id))
        const written = new Set(ids)
        for (const id of told) expect(written.has(id), `${id} was told to be durable`).toBe(true)
      }
      // Every settlement that was told counts; above that there may be what was in flight, never more.
      for (const role of ['client', 'worker'] as const)
        for (const owner of OWNERS[role]) {
          const mine = [...asked].filter(([, one]) => one[role] === owner)
          const sum = (some: typeof mine): bigint => some.reduce((n, [, { tokens }]) => n + tokens, 0n)
          const earlier = owner.endsWith('0') ? EARLIER_TOTAL : 0n
          const { total } = of(`${role} ${owner}`)
          expect(total).toBeGreaterThanOrEqual(earlier + sum(mine.filter(([id]) => told.has(id))))
          expect(total).toBeLessThanOrEqual(earlier + sum(mine))
        }
      expect(existsSync(importFrom), 'the earlier totals cannot come back').toBe(false)
      return entries.length
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** One ledger for each write of the script, which dies there. Returns how many died. */
export async function dieAtEveryWrite(seed: number): Promise<number> {
  for (let step = 1; ; step++) {
    const ledger = startKilling(100)
    const died = await ledger.dieAtStep(step, seed)
    ledger.expectNothingLost()
    ledger.remove()
    if (!died) return step - 1
  }
}

function journalOf(path: string): { entries: (Asked & { id: string })[]; folded: bigint } {
  const db = new DatabaseSync(path, { readOnly: true })
  const read = db.prepare(
    `SELECT request, c.owner AS client, w.owner AS worker, journal.total AS tokens
     FROM journal JOIN account c ON c.id = client JOIN account w ON w.id = worker`,
  )
  read.setReadBigInts(true)
  const rows = read.all() as unknown as { request: Uint8Array; client: string; worker: string; tokens: bigint }[]
  const { folded } = db.prepare('SELECT folded FROM book').get() as { folded: number }
  db.close()
  const entries = rows.map(({ request, client, worker, tokens }) => ({ id: toHex(request), client, worker, tokens }))
  return { entries, folded: BigInt(folded) }
}
