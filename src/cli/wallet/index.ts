/** The commands `cocoon wallet …`. */
import type { Command } from 'commander'
import { openMoney } from '../money.ts'
import type { MoneyCommands } from '../money-commands.ts'
import { backupWallet, type BackupFlags, createWallet, type KeepFlags, restoreWallet } from './keep.ts'
import { commandNodeWallet, fundNode, roleOf, sendMoney, type SendFlags, takeFromFaucet } from './pay.ts'
import { showWallets } from './show.ts'

interface Json {
  readonly json?: boolean
}

export function addWalletCommands(cocoon: Command, { withSettings, load, run, out, err }: MoneyCommands): void {
  const wallet = cocoon.command('wallet').description('the owner’s wallet, and those that nodes pay from')
  const add = (name: string, about: string): Command =>
    withSettings(wallet.command(name).description(about).option('--json', 'print one JSON object instead of text'))
  const money = (command: Command, { json }: Json) => openMoney(load(command), out, err, json === true)

  const create = add('create', 'make a wallet: 24 words, which any wallet program opens').option(
    '--no-passphrase',
    'ask for none: the words are protected by the file’s permissions only',
  )
  create.action((flags: KeepFlags) => run(createWallet(load(create).config, flags, out)))

  const restore = add('restore', 'bring a wallet by its 24 words, from a file or the standard input')
    .option('--from <file>', 'file with the words')
    .option('--no-passphrase', 'ask for none: the words are protected by the file’s permissions only')
  restore.action((flags: KeepFlags & { from?: string }) =>
    run(restoreWallet(load(restore).config, flags, flags.from ?? null, out)),
  )

  const backup = add('backup', 'write the 24 words down; nothing else ever shows them')
    .option('--to <file>', 'a new file, made with mode 0600')
    .option('--show', 'on this terminal')
  backup.action((flags: BackupFlags) => run(backupWallet(load(backup).config, flags, out)))

  const show = add('show', 'addresses and balances of the owner’s wallet and the nodes’')
  show.action((flags: Json) => run(showWallets(money(show, flags))))

  const send = add('send', 'send TON to somebody')
    .argument('<to>', 'address of the receiver')
    .argument('<amount>', 'TON, like 1.5')
    .option('--comment <text>', 'text that the receiver sees')
    .option('--from <wallet>', 'owner, client, proxy or worker', 'owner')
    .option('--yes', 'do not ask')
  send.action((to: string, amount: string, flags: SendFlags & Json) =>
    run(sendMoney(money(send, flags), to, amount, flags)),
  )

  const fund = add('fund', 'send TON from the owner’s wallet to a node’s, and deploy that where it is not yet')
    .argument('<node>', 'client, proxy or worker')
    .argument('<amount>', 'TON, like 5')
  fund.action((role: string, amount: string, flags: Json) => run(fundNode(money(fund, flags), roleOf(role), amount)))

  const faucet = add('faucet', 'play money, on the devnet only')
    .argument('[amount]', 'TON (default: 100)')
    .option('--for <wallet>', 'owner, client, proxy or worker', 'owner')
  faucet.action((amount: string | undefined, flags: Json & { for: string }) =>
    run(takeFromFaucet(money(faucet, flags), amount, flags.for)),
  )

  for (const [name, about] of [
    ['sweep', 'bring everything a node’s wallet holds to its owner'],
    ['block', 'stop the key of a node’s wallet, wherever it may be'],
    ['unblock', 'let the key of a node’s wallet spend again'],
  ] as const) {
    const command = add(name, about).argument('<node>', 'client, proxy or worker')
    command.action((role: string, flags: Json) => run(commandNodeWallet(money(command, flags), roleOf(role), name)))
  }
}
