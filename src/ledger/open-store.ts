/**
 * Opening a ledger's file, and the reasons not to. Nothing is repaired and nothing is guessed: a wrong total is money, so
 * every doubt is a refusal that says what to do (`config.ledger-…`).
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { syncFolderNow } from '../disk/index.ts'
import { openSqliteFile, sqliteDamage, sqliteTrouble, sqliteVersion } from '../sqlite/index.ts'
import { CocoonError } from '../util/index.ts'
import type { KeptAccount } from './books.ts'
import { ledgerError } from './errors.ts'
import { createRedoFile, isWholeRedoFile, readRedoFile, redoOf } from './redo-log.ts'
import type { RedoContent } from './redo-record.ts'
import { createStore, type Step, type Store, type StoreState } from './store.ts'
import { openWitness, readWitness } from './witness.ts'

export interface StoreOptions {
  readonly path: string
  /** Raw address of the proxy contract that the file is bound to. */
  readonly contract: string
  /** The journal keeps this many of the newest entries. */
  readonly keepEntries: number
  /** What an earlier version knew, and its file: taken over where there is no database yet. */
  readonly earlier?: Earlier | undefined
}

export interface Earlier {
  readonly file: string
  readonly accounts: readonly KeptAccount[]
}

export interface OpenedStore {
  readonly store: Store
  readonly accounts: readonly (KeptAccount & { readonly id: bigint })[]
  readonly entries: bigint
  /** Number of the newest write. The next one's is one more. */
  readonly newest: bigint
  readonly facts: readonly (readonly [name: string, value: string])[]
  /** What the operator should read in the log. */
  readonly notes: readonly string[]
}

/** "Coco", so that another program's database is never taken for a ledger. */
const FORM = { applicationId: 0x436f636f, version: 3 }

const SCHEMA = `
  CREATE TABLE book (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    contract TEXT NOT NULL,
    writes INTEGER NOT NULL,
    folded INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE account (
    id INTEGER PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('client', 'worker')),
    owner TEXT NOT NULL,
    balance_nano TEXT,
    stake_nano TEXT,
    sc_tokens_used TEXT,
    base INTEGER NOT NULL,
    total INTEGER NOT NULL,
    chain INTEGER NOT NULL,
    UNIQUE (role, owner),
    CHECK (0 <= base AND base <= total AND 0 <= chain AND chain <= total),
    CHECK ((role = 'client') = (balance_nano IS NOT NULL AND stake_nano IS NOT NULL AND sc_tokens_used IS NOT NULL))
  ) STRICT;
  CREATE TRIGGER account_totals_only_grow BEFORE UPDATE ON account
    WHEN new.base < old.base OR new.total < old.total OR new.chain < old.chain
    BEGIN SELECT RAISE(ABORT, 'totals only grow'); END;
  CREATE TABLE journal (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    request BLOB,
    client INTEGER NOT NULL REFERENCES account,
    worker INTEGER NOT NULL REFERENCES account,
    prompt INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    completion INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    total INTEGER NOT NULL CHECK (total >= 0)
  ) STRICT;
  CREATE TABLE ballast (one INTEGER PRIMARY KEY CHECK (one = 1), bytes BLOB NOT NULL) STRICT;
  CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
`

export function openStore(options: StoreOptions, step: Step): OpenedStore {
  const { path, contract } = options
  const pidFile = `${path}.pid`
  let db: DatabaseSync | undefined
  try {
    db = openSqliteFile(path)
    const notes: string[] = []
    const isNew = expectLedger(db, path)
    if (isNew) create(db, options, step)
    else {
      expectSound(db, path)
      upgrade(db, path)
    }
    if (options.earlier !== undefined) retire(db, path, options.earlier, notes)
    const state = expectContract(db, options)
    const redo = readRedoFile(path, contract, state.writes)
    const accepted = expectNewest(state, redo, options, notes)
    const records = redo === null || redo.isAhead ? [] : redo.records
    const newest = (records.at(-1)?.number ?? state.writes) + 1n
    const witness = openWitness(witnessOf(path), contract, state.writes)
    const store = createStore(db, witness, state, {
      keepEntries: BigInt(options.keepEntries),
      step,
      close: () => rmSync(pidFile, { force: true }),
    })
    step('before the first write', db)
    // Also without records: shows at once whether the file can be written, and that this process was here.
    store.append(
      records.map(({ group }) => group),
      newest,
    )
    if (records.length > 0) notes.push(`${path} took over ${records.length} writes of its redo log`)
    // What was accepted to be lost must not come back behind a later record.
    if (accepted || !isWholeRedoFile(path)) createRedoFile(path)
    if (accepted) rmSync(acceptFileOf(path))
    writeFileSync(pidFile, String(process.pid), { mode: 0o600 })
    syncFolderNow(dirname(path))
    step('after opening', db)
    const entries = state.seq - state.folded
    return { store, accounts: readAccounts(db), entries, newest, facts: readFacts(db), notes }
  } catch (error) {
    db?.close()
    throw refusal(error, path, pidFile)
  }
}

const witnessOf = (path: string): string => `${path}.witness`
const acceptFileOf = (path: string): string => `${path}.accept-rollback`

function numberOf(db: DatabaseSync, sql: string): bigint {
  const statement = db.prepare(sql)
  statement.setReadBigInts(true)
  const [value] = Object.values(statement.get() ?? {})
  return typeof value === 'bigint' ? value : 0n
}

/** True for a file without content. */
function expectLedger(db: DatabaseSync, path: string): boolean {
  const version = sqliteVersion(db, FORM)
  if (typeof version === 'string') throw corrupt(path, version)
  if (version !== null && version > FORM.version)
    throw ledgerError(
      'config.ledger-newer',
      `${path} was written by a newer version of this program (format ${version}, this version knows ${FORM.version}): update the program`,
    )
  return version === null
}

function create(db: DatabaseSync, { contract, earlier }: StoreOptions, step: Step): void {
  db.exec(
    `BEGIN IMMEDIATE; PRAGMA application_id = ${FORM.applicationId}; PRAGMA user_version = ${FORM.version}; ${SCHEMA}`,
  )
  db.prepare('INSERT INTO book VALUES (1, ?, 0, 0)').run(contract)
  const insert = db.prepare('INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
  for (const [i, { role, owner, funds, total, chain }] of (earlier?.accounts ?? []).entries()) {
    const money = funds === null ? null : [funds.balanceNano, funds.stakeNano, funds.scTokensUsed].map(String)
    insert.run(i + 1, role, owner, money?.[0] ?? null, money?.[1] ?? null, money?.[2] ?? null, total, total, chain)
  }
  step('before creating', db)
  db.exec('COMMIT')
  step('after creating', db)
}

/** Format 1 had no facts, format 2 no redo log. */
function upgrade(db: DatabaseSync, path: string): void {
  const version = numberOf(db, 'PRAGMA user_version')
  if (version >= BigInt(FORM.version)) return
  if (version < 2n) db.exec('BEGIN IMMEDIATE; CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT')
  else db.exec('BEGIN IMMEDIATE')
  createRedoFile(path)
  db.exec(`PRAGMA user_version = ${FORM.version}; COMMIT`)
}

const readFacts = (db: DatabaseSync): OpenedStore['facts'] =>
  db
    .prepare('SELECT name, value FROM fact')
    .all()
    .map((row) => [String(row['name']), String(row['value'])] as const)

/** Once its totals are here, an earlier version's file goes out of the way: nobody shall bring them back to life. */
function retire(db: DatabaseSync, path: string, earlier: Earlier, notes: string[]): void {
  const here = db.prepare('SELECT 1 FROM account WHERE role = ? AND owner = ? AND total >= ? AND chain >= ?')
  const missing = earlier.accounts.find(
    (a) => a.total > 0n && here.get(a.role, a.owner, a.total, a.chain) === undefined,
  )
  if (missing !== undefined)
    throw ledgerError(
      'config.ledger-snapshot',
      `${earlier.file} knows a higher total of ${missing.owner} than ${path}, which took its place: move away the one that is wrong`,
    )
  renameSync(earlier.file, `${earlier.file}.imported`)
  notes.push(`${path} took over the totals of ${earlier.file}`)
}

/** Damage to the file, and totals that are not what the journal adds up to. Its time is bounded by what the journal keeps. */
function expectSound(db: DatabaseSync, path: string): void {
  const damage = sqliteDamage(db)
  if (damage !== null) throw corrupt(path, damage)
  const gaps = numberOf(
    db,
    `SELECT count(*) FROM book WHERE
       (SELECT count(*) FROM journal) <> (SELECT coalesce(max(seq), folded) FROM journal) - folded
       OR (SELECT coalesce(min(seq), folded + 1) FROM journal) <> folded + 1`,
  )
  if (gaps !== 0n) throw corrupt(path, 'entries of its journal are missing')
  const wrong = db
    .prepare(
      `WITH pair AS (SELECT client, worker, sum(total) AS tokens FROM journal GROUP BY client, worker),
         earned AS (SELECT client AS id, tokens FROM pair UNION ALL SELECT worker, tokens FROM pair)
       SELECT owner FROM account LEFT JOIN earned USING (id)
       GROUP BY id HAVING account.total <> base + coalesce(sum(tokens), 0) LIMIT 1`,
    )
    .get()
  if (wrong !== undefined) throw corrupt(path, `the total of ${String(wrong['owner'])} is not the sum of its entries`)
}

function expectContract(db: DatabaseSync, { path, contract }: StoreOptions): StoreState {
  const statement = db.prepare('SELECT contract, writes, folded FROM book')
  statement.setReadBigInts(true)
  const book = statement.get() as { contract: string; writes: bigint; folded: bigint } | undefined
  if (book === undefined) throw corrupt(path, 'its first table is empty')
  if (book.contract !== contract)
    throw ledgerError(
      'config.ledger-other-contract',
      `${path} is the ledger of contract ${book.contract}, and this proxy’s is ${contract}: use the home and the key that belong together`,
    )
  const { writes, folded } = book
  return { writes, folded, seq: numberOf(db, `SELECT coalesce(max(seq), ${folded}) FROM journal`) }
}

/** True when it was refuted by the operator's word. Without entries there is nothing to lose, so nothing need testify. */
function expectNewest(
  state: StoreState,
  redo: RedoContent | null,
  { path, contract }: StoreOptions,
  notes: string[],
): boolean {
  const known = readWitness(witnessOf(path), contract)
  const accept = acceptFileOf(path)
  const what = doubt(state, redo, known, path)
  const accepted = existsSync(accept)
  if (what !== null && !accepted)
    throw ledgerError(
      'config.ledger-rolled-back',
      `${path} cannot be trusted: ${what}. Bring the newest ledger back. If it is lost for good, create the empty file ${accept} and start again: requests since the older file was made stay unpaid, and workers that remember more refuse this proxy until their totals are reached; a new key gives a new contract and starts from zero`,
    )
  if (what !== null) notes.push(`accepted although ${what}`)
  return accepted
}

/** Why the file may not be the newest ledger; null where all testify for it. */
function doubt(state: StoreState, redo: RedoContent | null, known: bigint | null, path: string): string | null {
  const newest = redo?.records.at(-1)?.number ?? state.writes
  if (redo?.isAhead === true)
    return `it has seen ${state.writes} writes and its redo log goes on with ${redo.records[0]?.number}: an older file was put in its place`
  if (redo?.isDamaged === true)
    return `its redo log (${redoOf(path)}) is damaged: settlements that counted cannot be read`
  if (known !== null && known > newest)
    return `it has seen ${newest} writes and its witness knows of ${known}: an older file was put in its place`
  if (state.seq === 0n) return null
  if (known === null) return `there is no witness (${witnessOf(path)}) that it is the newest ledger of this proxy`
  if (redo === null)
    return `its redo log (${redoOf(path)}) is gone, and with it what the database had not taken over yet`
  return null
}

function readAccounts(db: DatabaseSync): OpenedStore['accounts'] {
  const statement = db.prepare(
    'SELECT id, role, owner, balance_nano, stake_nano, sc_tokens_used, total, chain FROM account',
  )
  statement.setReadBigInts(true)
  const rows = statement.all() as unknown as readonly AccountRow[]
  return rows.map(({ id, role, owner, balance_nano, stake_nano, sc_tokens_used, total, chain }) => {
    const isClient = balance_nano !== null && stake_nano !== null && sc_tokens_used !== null
    const funds = isClient
      ? { balanceNano: BigInt(balance_nano), stakeNano: BigInt(stake_nano), scTokensUsed: BigInt(sc_tokens_used) }
      : null
    return { id, role, owner, funds, total, chain }
  })
}

interface AccountRow {
  readonly id: bigint
  readonly role: 'client' | 'worker'
  readonly owner: string
  readonly balance_nano: string | null
  readonly stake_nano: string | null
  readonly sc_tokens_used: string | null
  readonly total: bigint
  readonly chain: bigint
}

const corrupt = (path: string, why: string, cause?: unknown): CocoonError =>
  ledgerError(
    'config.ledger-corrupt',
    `${path} is not a sound ledger of this proxy: ${why}. Restore the newest backup, or move it away to start from zero`,
    cause,
  )

const unwritable = (path: string, cause: unknown): CocoonError =>
  ledgerError(
    'config.ledger-unwritable',
    `the ledger ${path} cannot be written (${cause instanceof Error ? cause.message : String(cause)}): make its folder writable and see that the disk has room`,
    cause,
  )

/** What the system or SQLite says, in words that help. */
function refusal(error: unknown, path: string, pidFile: string): unknown {
  // What the store could not write is no trouble of a running ledger yet.
  if (error instanceof CocoonError)
    return error.family === 'capacity' && sqliteTrouble(error.cause ?? {}) === 'unwritable'
      ? unwritable(path, error.cause)
      : error
  switch (sqliteTrouble(error)) {
    case 'in-use': {
      const pid = existsSync(pidFile) ? readFileSync(pidFile, 'latin1') : 'unknown'
      return ledgerError(
        'config.ledger-in-use',
        `another process (pid ${pid}) uses the ledger ${path}: stop it first`,
        error,
      )
    }
    case 'damaged':
      return corrupt(path, 'the file is damaged', error)
    case 'unwritable':
      return unwritable(path, error)
    case null:
      return error
  }
}
