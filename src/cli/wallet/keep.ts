/** `cocoon wallet create`, `restore` and `backup`: words come into being, into the file, and out of it. */
import { readFileSync } from 'node:fs'
import { formatAddress, isNetworkName, NETWORKS } from '../../chain/index.ts'
import { CocoonError, reveal, type Secret, systemRandom } from '../../util/index.ts'
import { passphraseFor, requireWallet } from '../money.ts'
import { writePrivateFile } from '../../disk/index.ts'
import { askSecret, canAsk } from '../prompt.ts'
import type { Config } from '../schema.ts'
import type { Terminal } from '../terminal.ts'
import { findWallet, newWords, openWords, parseWords, storeWallet, walletPath } from './wallet-file.ts'

export interface KeepFlags {
  readonly json?: boolean
  /** False with `--no-passphrase`. */
  readonly passphrase: boolean
}

export async function createWallet(config: Config, flags: KeepFlags, out: Terminal): Promise<number> {
  refuseSecond(config)
  return store(config, flags, await newWords(), out, 'created')
}

/** @param from a file, or null for the standard input */
export async function restoreWallet(
  config: Config,
  flags: KeepFlags,
  from: string | null,
  out: Terminal,
): Promise<number> {
  refuseSecond(config)
  const words = await parseWords(await typedWords(from))
  return store(config, flags, words, out, 'restored')
}

/** Before anything is asked: nobody types words for nothing. */
function refuseSecond({ home, wallet: { name } }: Config): void {
  if (findWallet(home, name) === null) return
  throw new CocoonError('config.wallet', {
    message: `there is a wallet at ${walletPath(home, name)} already, and it is left as it is: choose another --name, or move that file away`,
  })
}

async function typedWords(from: string | null): Promise<string> {
  if (from === null && canAsk()) return reveal(await askSecret('the 24 words: '))
  try {
    return readFileSync(from ?? 0, 'utf8')
  } catch (cause) {
    throw new CocoonError('config.wallet', {
      message: `cannot read ${from ?? 'the standard input'}: ${(cause as Error).message}`,
    })
  }
}

async function store(
  config: Config,
  flags: KeepFlags,
  words: Secret<string>,
  out: Terminal,
  done: string,
): Promise<number> {
  const { home, wallet, network } = config
  const passphrase = flags.passphrase ? await newPassphrase(config) : null
  const stored = await storeWallet(home, wallet.name, words, passphrase, systemRandom)
  const { standardWalletAddress } = await import('./standard-wallet.ts')
  const isTest = isNetworkName(network) ? NETWORKS[network].isTest : true
  const address = formatAddress(standardWalletAddress(stored.publicKey, isTest), isTest)
  if (flags.json === true)
    out.line(
      JSON.stringify({ wallet: stored.name, file: stored.path, sealed: stored.isSealed, network, address }, null, 2),
    )
  else {
    out.line(
      `${done} wallet "${stored.name}" in ${stored.path}${stored.isSealed ? ', under your passphrase' : ' (no passphrase; the file is for you only)'}`,
    )
    out.line(`address on ${network}: ${address}`)
    out.line(`\nNext: back its words up with \`cocoon wallet backup --to FILE\` (or --show), and keep them elsewhere.`)
    out.line(
      'Nodes of this folder take this wallet as their owner, unless client.ownerAddress and the like say otherwise.',
    )
  }
  return 0
}

async function newPassphrase({ wallet: { passphrase } }: Config): Promise<Secret<string> | null> {
  const chosen = passphrase ?? (canAsk() ? await askTwice() : null)
  // An empty answer is a choice: the file alone protects the words then.
  return chosen === null || reveal(chosen) === '' ? null : chosen
}

async function askTwice(): Promise<Secret<string>> {
  const first = await askSecret('passphrase (empty for none): ')
  if (reveal(first) === '' || reveal(await askSecret('once more: ')) === reveal(first)) return first
  throw new CocoonError('config.passphrase', { message: 'the two passphrases differ; nothing was written' })
}

export interface BackupFlags {
  readonly to?: string
  readonly show?: boolean
}

/** The one way for words to leave the file, and only where somebody said so. */
export async function backupWallet(config: Config, { to, show = false }: BackupFlags, out: Terminal): Promise<number> {
  if ((to === undefined) === !show)
    throw new CocoonError('config.backup', {
      message: 'say where the words shall go: --to FILE (made with mode 0600), or --show for this terminal',
    })
  if (show && !out.isTTY)
    throw new CocoonError('config.backup', {
      message: '--show writes to a terminal only, not into a pipe or a log: use --to FILE',
    })
  const stored = requireWallet(config)
  const words = await openWords(stored, () => passphraseFor(config, stored))
  if (to === undefined) {
    reveal(words)
      .split(' ')
      .forEach((word, i) => out.line(`${String(i + 1).padStart(2)} ${word}`))
    return 0
  }
  if (!writePrivateFile(to, `${reveal(words)}\n`))
    throw new CocoonError('config.backup', {
      message: `${to} is there already, and is left as it is: name another file`,
    })
  out.line(`the 24 words of "${stored.name}" are in ${to}: whoever reads them has the money`)
  return 0
}
