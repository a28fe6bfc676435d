/** `cocoon batch …`: many requests in one file, answered by the running client when the network has room. */
import type { Command } from 'commander'
import type { GatewayCommands } from '../gateway/index.ts'
import type { Terminal } from '../terminal.ts'
import {
  cancelBatch,
  createBatch,
  type CreateFlags,
  listBatches,
  printOutput,
  showBatch,
  waitForBatch,
} from './commands.ts'

/** What main gives to these commands. @param progress where progress goes, apart from what is printed */
export interface BatchCommands extends GatewayCommands {
  readonly progress: Terminal
}

export function addBatchCommands(cocoon: Command, main: BatchCommands): void {
  const batch = cocoon.command('batch').description('many requests in one file, answered when the network has room')
  const add = (name: string, does: string): Command => main.withSettings(batch.command(name).description(does))

  const create = add('create', 'upload a file of requests and have them answered')
    .argument('<file>', 'JSONL: {"custom_id", "method": "POST", "url", "body"} on each line')
    .option('--endpoint <path>', 'where the requests go (default: the url of the first line)')
    .option('--max-cost <TON>', 'what all of them may cost together')
    .option(
      '--max-coefficient <count>',
      'dearest worker, per mille of the network’s price; cheaper ones are waited for',
    )
    .option('--repeat-lost', 'ask lines again whose answers were lost in a crash, though they are or may be paid for')
    .option('--window <hours>', 'lines that have no answer by then expire', '24h')
    .option('--wait', 'show progress until it is over')
    .option('--json', 'print JSON')
  create.action((file: string, o: CreateFlags) =>
    main.run(createBatch(main.load(create).config, file, o, main.out, main.progress)),
  )
  const list = add('list', 'batches, the newest first').option('--json', 'print JSON')
  list.action((o: { json?: boolean }) => main.run(listBatches(main.load(list).config, o.json === true, main.out)))

  const show = add('show', 'how far a batch is, what it cost and what it waits for')
    .argument('<id>', 'its id')
    .option('--json', 'print JSON')
  show.action((id: string, o: { json?: boolean }) =>
    main.run(showBatch(main.load(show).config, id, o.json === true, main.out)),
  )
  const wait = add('wait', 'show progress until it is over; leaving does not stop it').argument('<id>', 'its id')
  wait.action((id: string) => main.run(waitForBatch(main.load(wait).config, id, main.out, main.progress)))

  const cancel = add('cancel', 'send nothing more of it; what was answered is kept').argument('<id>', 'its id')
  cancel.action((id: string) => main.run(cancelBatch(main.load(cancel).config, id, main.out)))

  const output = add('output', 'print the answers of a batch that is over, as JSONL')
    .argument('<id>', 'its id')
    .option('--errors', 'the lines that failed instead')
    .option('--to <file>', 'write them into a file, which must not exist')
  output.action((id: string, o: { errors?: boolean; to?: string }) =>
    main.run(printOutput(main.load(output).config, id, o, main.out)),
  )
}
