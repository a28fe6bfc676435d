/** The commands of a client's gateway: keys, projects, members, budgets, usage, receipts, quotes, console. */
import { Argument, type Command, Option } from 'commander'
import { BUDGET_WINDOWS, KEY_SCOPES, MEMBER_ROLES, RECEIPT_RESULTS } from '../../gateway/index.ts'
import type { Loaded } from '../config.ts'
import type { Terminal } from '../terminal.ts'
import {
  type BudgetFlags,
  createKey,
  createProject,
  dropBudget,
  type KeyFlags,
  listKeys,
  listProjects,
  revokeKey,
  setBudget,
  showBudgets,
} from './accounts.ts'
import { addMember, changeRole, listMembers, type MemberFlags, removeMember } from './members.ts'
import {
  type QuoteFlags,
  type ReceiptFlags,
  showConsole,
  showQuote,
  showReceipts,
  showUsage,
  type UsageFlags,
} from './reports.ts'

/** What main gives to these commands. */
export interface GatewayCommands {
  withSettings(command: Command): Command
  load(command: Command): Loaded
  run(status: Promise<number>): void
  readonly out: Terminal
}

export function addGatewayCommands(cocoon: Command, main: GatewayCommands): void {
  addKeyCommands(cocoon.command('key').description('API keys of the running client'), main)
  addProjectCommands(cocoon.command('project').description('projects that keys belong to'), main)
  addMemberCommands(cocoon.command('member').description('who looks after a project and its keys'), main)
  addBudgetCommands(cocoon.command('budget').description('what keys, projects or the whole client may spend'), main)
  addReportCommands(cocoon, main)
}

function addKeyCommands(key: Command, main: GatewayCommands): void {
  const create = main.withSettings(
    key
      .command('create')
      .description('make a key; from the first one on, every caller needs one')
      .option('--project <id>', 'project it belongs to (default: default, or that of the member who asks)')
      .option('--name <text>', 'what it is for')
      .addOption(new Option('--scope <name...>', 'what it is for').choices(KEY_SCOPES))
      .option('--model <name...>', 'models it may ask (default: all)')
      .option('--expires <when>', 'like 30d, 12h or 2027-01-31')
      .option('--requests-per-minute <count>', 'most requests in a minute')
      .option('--tokens-per-minute <count>', 'most tokens in a minute, as charged')
      .option('--max-concurrent <count>', 'most requests at once')
      .option('--json', 'print JSON'),
  )
  create.action((o: KeyFlags) => main.run(createKey(main.load(create).config, o, main.out)))
  const list = main.withSettings(key.command('list').description('all keys').option('--json', 'print JSON'))
  list.action((o: { json?: boolean }) => main.run(listKeys(main.load(list).config, o.json === true, main.out)))
  const revoke = main.withSettings(key.command('revoke').description('end a key for good').argument('<id>', 'its id'))
  revoke.action((id: string) => main.run(revokeKey(main.load(revoke).config, id, main.out)))
}

function addProjectCommands(project: Command, main: GatewayCommands): void {
  const create = main.withSettings(
    project
      .command('create')
      .description('make a project, or rename one')
      .argument('<id>', 'a-z, 0-9 and dashes')
      .option('--name <text>', 'what people call it'),
  )
  create.action((id: string, o: { name?: string }) =>
    main.run(createProject(main.load(create).config, id, o.name, main.out)),
  )
  const list = main.withSettings(project.command('list').description('all projects').option('--json', 'print JSON'))
  list.action((o: { json?: boolean }) => main.run(listProjects(main.load(list).config, o.json === true, main.out)))
}

const ROLES_SAY = 'owner: members, all keys, their budgets; member: keys of its own; viewer: looks'

function addMemberCommands(member: Command, main: GatewayCommands): void {
  const add = main.withSettings(
    member
      .command('add')
      .description('let somebody look after a project; prints the credential, once')
      .argument('<name>', 'who it is')
      .option('--project <id>', 'project to look after (default: default, or that of the member who asks)')
      .addOption(new Option('--role <name>', ROLES_SAY).choices(MEMBER_ROLES).default('member'))
      .option('--json', 'print JSON'),
  )
  add.action((name: string, o: MemberFlags) => main.run(addMember(main.load(add).config, name, o, main.out)))
  const list = main.withSettings(member.command('list').description('all members').option('--json', 'print JSON'))
  list.action((o: { json?: boolean }) => main.run(listMembers(main.load(list).config, o.json === true, main.out)))
  const role = main.withSettings(
    member
      .command('role')
      .description('change what a member may do; holds for the next request')
      .argument('<id>', 'its id')
      .addArgument(new Argument('<role>', ROLES_SAY).choices(MEMBER_ROLES)),
  )
  role.action((id: string, name: string) => main.run(changeRole(main.load(role).config, id, name, main.out)))
  const remove = main.withSettings(
    member
      .command('remove')
      .description('end a membership, and the API keys made with it')
      .argument('<id>', 'its id')
      .option('--keep-keys', 'leave the API keys as they are'),
  )
  remove.action((id: string, o: { keepKeys?: boolean }) =>
    main.run(removeMember(main.load(remove).config, id, o.keepKeys === true, main.out)),
  )
}

function addBudgetCommands(budget: Command, main: GatewayCommands): void {
  const withPlace = (command: Command): Command =>
    main.withSettings(
      command
        .option('--key <id>', 'of this key')
        .option('--project <id>', 'of this project')
        .option('--model <name>', 'for this model alone')
        .addOption(new Option('--window <name>', 'in UTC').choices(BUDGET_WINDOWS).default('month')),
    )
  const set = withPlace(
    budget
      .command('set')
      .description('make or change a budget; without --key and --project, of the whole client')
      .argument('<limit>', 'in TON')
      .option('--warn <percent>', 'log and webhook are told at this share [80]'),
  )
  set.action((limit: string, o: BudgetFlags) => main.run(setBudget(main.load(set).config, limit, o, main.out)))
  const drop = withPlace(budget.command('drop').description('remove a budget'))
  drop.action((o: BudgetFlags) => main.run(dropBudget(main.load(drop).config, o, main.out)))
  const show = main.withSettings(
    budget.command('show').description('all budgets, spent and reserved').option('--json', 'print JSON'),
  )
  show.action((o: { json?: boolean }) => main.run(showBudgets(main.load(show).config, o.json === true, main.out)))
}

function addReportCommands(cocoon: Command, main: GatewayCommands): void {
  const withFilter = (command: Command): Command =>
    main.withSettings(
      command
        .option('--project <id>', 'of this project')
        .option('--key <id>', 'of this key')
        .option('--model <name>', 'of this model')
        .option('--csv', 'print CSV')
        .option('--json', 'print JSON'),
    )
  const usage = withFilter(
    cocoon
      .command('usage')
      .description('requests, tokens and cost, summed')
      .addOption(
        new Option('--by <what>', 'one line for each')
          .choices(['key', 'project', 'model', 'day', 'code'])
          .default('key'),
      )
      .option('--from <day>', 'first day, like 2026-08-01 (UTC)')
      .option('--to <day>', 'last day'),
  )
  usage.action((o: UsageFlags) => main.run(showUsage(main.load(usage).config, only(o, USAGE_FLAGS), main.out)))
  const receipts = withFilter(
    cocoon
      .command('receipts')
      .description('one line for each request, newest first, refused ones as well, and their sum')
      .option('--request <id>', 'the one with this x-request-id')
      .addOption(new Option('--result <name>', 'only these').choices(RECEIPT_RESULTS))
      .option('--code <code>', 'only those with this reason')
      .option('--from <time>', 'ended at this time or later')
      .option('--until <time>', 'ended before')
      .option('--limit <count>', 'lines at most', '50'),
  )
  receipts.action((o: ReceiptFlags) =>
    main.run(showReceipts(main.load(receipts).config, only(o, RECEIPT_FLAGS), main.out)),
  )
  const quote = main.withSettings(
    cocoon
      .command('quote')
      .description('the most a question can cost; without one, the prices of all models')
      .addArgument(new Argument('[question]', 'what would be asked'))
      .option('--model <name>', 'model to ask (default: the first one offered)')
      .option('--max-tokens <count>', 'longest answer')
      .option('--max-coefficient <count>', 'highest price accepted, per mille of the network’s')
      .option('--json', 'print JSON'),
  )
  quote.action((question: string | undefined, o: QuoteFlags) =>
    main.run(showQuote(main.load(quote).config, question, o, main.out)),
  )
  const page = main.withSettings(
    cocoon.command('console').description('the address of the console, with the key that opens it: for your eyes only'),
  )
  page.action(() => main.run(Promise.resolve().then(() => showConsole(main.load(page).config, main.out))))
}

const FILTER_FLAGS = ['project', 'key', 'model', 'csv', 'json', 'from'] as const
const USAGE_FLAGS = [...FILTER_FLAGS, 'by', 'to'] as const
const RECEIPT_FLAGS = [...FILTER_FLAGS, 'request', 'result', 'code', 'until', 'limit'] as const

/** Commander's object has the general settings as well. */
function only<T extends object, K extends keyof T>(flags: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(
    names.filter((name) => flags[name] !== undefined).map((name) => [name, flags[name]]),
  ) as Pick<T, K>
}
