/** What it costs to verify a TDX quote whose collateral is at hand, beside another verifier in the same run. */
import { examineDcapQuote, parseDcapCollateral, verifyDcapCollateral } from '../src/tee/verify/dcap/index.ts'
import { nodeVerifyCrypto } from '../src/tee/x509/crypto-node.ts'
import { caseOf, rootKeyOf, sourceOf, vector } from '../test/support/dcap-vectors.ts'
import { askOtherVerifier } from '../test/support/other-verifier.ts'
import { type Benchmark, median } from './benchmark.ts'

const QUOTE = 'tdx/v5-90c06f-uptodate.bin'

export const evidenceBenchmark: Benchmark = {
  name: 'evidence',
  what: 'one TDX quote verified again and again, by us and by the package @phala/dcap-qvl, by turns',
  async run({ seconds }) {
    const one = caseOf(QUOTE)
    const nowMs = Date.parse(one.at)
    const options = { crypto: nodeVerifyCrypto, nowMs, skewMs: 0, rootKey: rootKeyOf(one) }
    const quote = vector(one.quote)
    const collateral = await verifyDcapCollateral(parseDcapCollateral(sourceOf(one)), options)
    const ours = async (): Promise<void> => {
      const result = await examineDcapQuote(quote, collateral, nowMs)
      if (!result.ok || result.facts.tcb.status !== 'UpToDate') throw new Error('our verdict is wrong')
    }
    const whole = async (): Promise<void> => {
      const fresh = await verifyDcapCollateral(parseDcapCollateral(sourceOf(one)), options)
      if (!(await examineDcapQuote(quote, fresh, nowMs)).ok) throw new Error('our verdict is wrong')
    }
    const other = (): void => {
      if (askOtherVerifier(one) !== 'UpToDate') throw new Error('the other verdict is wrong')
    }
    const times: Record<'ours' | 'whole' | 'other', number[]> = { ours: [], whole: [], other: [] }
    const turn = async (into: number[], work: () => Promise<void> | void): Promise<void> => {
      const start = performance.now()
      await work()
      into.push(performance.now() - start)
    }
    for (let i = 0; i < 20; i++) await turn([], ours)
    const end = performance.now() + seconds * 1000
    while (performance.now() < end) {
      await turn(times.ours, ours)
      await turn(times.whole, whole)
      await turn(times.other, other)
    }
    const [parsed, fresh, theirs] = [median(times.ours), median(times.whole), median(times.other)]
    return [
      { name: 'TDX quote, collateral parsed: median', value: parsed, unit: 'ms', goal: { atMost: 3 } },
      { name: 'TDX quote and all its collateral: median', value: fresh, unit: 'ms' },
      { name: 'the other verifier, quote and collateral: median', value: theirs, unit: 'ms' },
      { name: 'other ÷ ours, quote and collateral', value: theirs / fresh, unit: '×' },
    ]
  },
}
