/** The commands `cocoon account …`. */
import type { Command } from 'commander'
import { type Money, openMoney } from '../money.ts'
import type { MoneyCommands } from '../money-commands.ts'
import { type AccountFlags, closeAccount, raiseStake, showAccounts, topUp, withdraw } from './commands.ts'

export function addAccountCommands(cocoon: Command, { withSettings, load, run, out, err }: MoneyCommands): void {
  const account = cocoon.command('account').description('a client’s money with a proxy')
  const add = (name: string, about: string): Command =>
    withSettings(
      account
        .command(name)
        .description(about)
        .option('--proxy <address>', 'the proxy’s contract (default: those the running client talks to)')
        .option('--json', 'print one JSON object instead of text'),
    ).addHelpText('after', HELP)
  const paying = (name: string, about: string): Command =>
    add(name, about).option(
      '--from <payer>',
      'owner: the owner’s wallet has the client’s act; node: the client’s own key (default: owner, where it is here)',
    )
  const money = (command: Command, { json }: AccountFlags): Money => openMoney(load(command), out, err, json === true)

  const show = add('show', 'balance, stake, what was used')
  show.action((flags: AccountFlags) => run(showAccounts(money(show, flags), flags)))

  const top = paying('top-up', 'pay in; the first time this opens the account').argument('<amount>', 'TON, like 15')
  top.action((amount: string, flags: AccountFlags) => run(topUp(money(top, flags), amount, flags)))

  const stake = paying('stake', 'raise what stays until the account is closed').argument(
    '<amount>',
    'TON in all, like 20',
  )
  stake.action((amount: string, flags: AccountFlags) => run(raiseStake(money(stake, flags), amount, flags)))

  const take = paying('withdraw', 'take out what is above the stake')
  take.action((flags: AccountFlags) => run(withdraw(money(take, flags), flags)))

  const close = paying(
    'close',
    'get everything back: at once where the running client’s proxy signs for it, else after the network’s delay',
  )
    .option('--wait', 'wait for the delay to end, and end it')
    .option('--without-proxy', 'do not ask the proxy: begin to close on chain')
  close.action((flags: AccountFlags & { withoutProxy?: boolean }) =>
    run(closeAccount(money(close, flags), { ...flags, withProxy: flags.withoutProxy !== true })),
  )
}

const HELP = `
Every command waits until the contract has done it, and may be given again after an interruption: nothing is paid twice.
Refunds go to the client's wallet; \`cocoon wallet sweep client\` brings them to its owner.`
