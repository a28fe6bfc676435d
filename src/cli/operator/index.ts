/** The commands `cocoon operator …`. */
import type { Command } from 'commander'
import { type Money, openMoney } from '../money.ts'
import type { MoneyCommands } from '../money-commands.ts'
import { close, type OperatorFlags, showOperator, stake, withdraw } from './commands.ts'

export function addOperatorCommands(cocoon: Command, { withSettings, load, run, out, err }: MoneyCommands): void {
  const operator = cocoon.command('operator').description('the money of a proxy’s contract, for its owner')
  const add = (name: string, about: string): Command =>
    withSettings(
      operator
        .command(name)
        .description(about)
        .option('--proxy <address>', 'the proxy’s contract (default: that of the proxy of this home)')
        .option('--json', 'print one JSON object instead of text'),
    ).addHelpText('after', HELP)
  const paying = (name: string, about: string): Command =>
    add(name, about).option(
      '--from <payer>',
      'owner: the owner’s wallet; node: the proxy’s own (default: owner, where it is here)',
    )
  const money = (command: Command, { json }: OperatorFlags): Money => openMoney(load(command), out, err, json === true)

  const look = add('show', 'what was earned, what is staked, what workers are paid from')
  look.action((flags: OperatorFlags) => run(showOperator(money(look, flags), flags)))

  const more = paying('stake', 'deposit what stays until the contract is closed').argument(
    '<amount>',
    'TON more, like 15',
  )
  more.action((amount: string, flags: OperatorFlags) => run(stake(money(more, flags), amount, flags)))

  const take = paying(
    'withdraw',
    'bring what was earned to the owner; a running proxy does it by itself from 10 TON on',
  )
  take.action((flags: OperatorFlags) => run(withdraw(money(take, flags), flags)))

  const end = add('close', 'stop serving; after the network’s delay stake and earnings go to the owner').option(
    '--wait',
    'wait for the delay to end, and end it',
  )
  end.action((flags: OperatorFlags) => run(close(money(end, flags), flags)))
}

const HELP = `
Every command waits until the contract has done it, and may be given again after an interruption: nothing is paid twice.
A closed contract stays closed: a new proxy key makes a new one.`
