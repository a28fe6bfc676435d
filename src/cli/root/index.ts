/** The commands `cocoon root …`. */
import type { Command } from 'commander'
import { type Money, openMoney } from '../money.ts'
import type { MoneyCommands } from '../money-commands.ts'
import {
  allow,
  changePrice,
  deployOwnRoot,
  type DeployFlags,
  diff,
  disallow,
  registerProxy,
  type RootFlags,
  showRoot,
  unregisterProxy,
} from './commands.ts'

export function addRootCommands(cocoon: Command, { withSettings, load, run, out, err }: MoneyCommands): void {
  const root = cocoon.command('root').description('the root contract of a network: who takes part, at what price')
  const add = (name: string, about: string): Command =>
    withSettings(root.command(name).description(about).option('--json', 'print one JSON object instead of text'))
  const changing = (name: string, about: string): Command =>
    add(name, about)
      .option('--yes', 'send it; without this, only say what would be done')
      .addHelpText('after', '\nThe owner’s wallet (`cocoon wallet show`) must own the root contract.')
  const money = (command: Command, { json }: RootFlags): Money => openMoney(load(command), out, err, json === true)

  const show = add('show', 'everything it says')
  show.action((flags: RootFlags) => run(showRoot(money(show, flags))))

  const deploy = changing('deploy', 'make a network of your own, with the contracts of this release')
    .option('--price <nano>', 'nanoTON a client pays for one token', '20')
    .option('--worker-fee <nano>', 'nanoTON of it that the worker earns', '19')
    .option('--proxy-delay <seconds>', 'from the announcement of a proxy’s end to its end', '86400')
    .option('--client-delay <seconds>', 'until a client gets everything back without its proxy', '43200')
    .option('--min-proxy-stake <ton>', 'what a proxy’s operator stakes', '15')
    .option('--min-client-stake <ton>', 'what a client keeps in its account', '15')
    .option('--unique-id <number>', 'tells two networks of one owner apart', '1')
  deploy.action((flags: DeployFlags) => run(deployOwnRoot(money(deploy, flags), flags)))

  const register = changing('register-proxy', 'let a proxy take part').argument(
    '<address>',
    '"IPv4:port", or "IPv4:port IPv4:port" for workers and clients',
  )
  register.action((address: string, flags: RootFlags) => run(registerProxy(money(register, flags), address, flags)))

  const unregister = changing('unregister-proxy', 'let a proxy take part no more').argument(
    '<number>',
    'of the proxy, as `cocoon root show` has it',
  )
  unregister.action((seqno: string, flags: RootFlags) => run(unregisterProxy(money(unregister, flags), seqno, flags)))

  for (const [name, about, work] of [
    ['allow', 'put an image or a model on its list', allow],
    ['disallow', 'take an image or a model from its list', disallow],
  ] as const) {
    const command = changing(name, about)
      .argument('<kind>', 'worker-image, proxy-image or model')
      .argument('<hash>', 'hash of the image (64 hex digits); name or hash of the model')
    command.action((kind: string, text: string, flags: RootFlags) =>
      run(work(money(command, flags), kind, text, flags)),
    )
  }

  const price = changing('price', 'change what a token costs; every contract then gets a new address')
    .argument('<price>', 'nanoTON a client pays for one token')
    .argument('<worker-fee>', 'nanoTON of it that the worker earns')
  price.action((to: string, fee: string, flags: RootFlags) => run(changePrice(money(price, flags), to, fee, flags)))

  const compare = changing(
    'diff',
    'what stands between a file and the contract, and with --yes bring it about',
  ).argument('<file>', 'JSON: proxies, proxyImages, workerImages, models, pricePerTokenNano, …; docs/chain.md')
  compare.action((file: string, flags: RootFlags) => run(diff(money(compare, flags), file, flags)))
}
