/** A chain in a process of its own, to be killed: `child.ts STATE_FOLDER JOURNAL_BYTES INTERVAL_MS`. Prints its address. */
import { devnetOptions, startDevnet } from '../../src/devnet/index.ts'
import { seededRandom, silentLog, systemClock } from '../../src/util/index.ts'

const [statePath, journalBytes, blockIntervalMs] = process.argv.slice(2)
const { url } = await startDevnet(
  devnetOptions.parse({
    port: 0,
    statePath,
    journalBytes: Number(journalBytes),
    blockIntervalMs: Number(blockIntervalMs),
  }),
  { clock: systemClock, random: seededRandom(1), log: silentLog },
)
process.stdout.write(`${url}\n`)
