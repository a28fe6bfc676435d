/** What was used: a bar for each day, and the sums by key, model, project and reason. */
import { useState } from 'preact/hooks'
import { useFetched } from '../../node/fetched.ts'
import { type NodeApi, queryOf } from '../../node/node-api.ts'
import { useNode } from '../../node/session.ts'
import type { ApiKey, List, UsageRow } from '../../node/shapes.ts'
import { Complaint } from '../../parts/complaint.tsx'
import { Choice, Field } from '../../parts/field.tsx'
import { formatAmount, formatCount } from '../../parts/format.ts'
import { Chart } from './chart.tsx'
import { daysUntil, largest, type Measure, MEASURES, seriesOf } from './series.ts'
import { type Group, GROUPS, UsageTable } from './usage-table.tsx'

const PERIODS = [
  ['7', '7 days'],
  ['30', '30 days'],
  ['90', '90 days'],
  ['365', 'a year'],
] as const

const SPLITS = [
  ['', 'nothing'],
  ['model', 'model'],
  ['key', 'key'],
  ['project', 'project'],
] as const

const EVERY_MS = 30_000
/** Stands in the node's answers for a key, project or model that nobody could name. */
const NOBODY = '-'

export function Usage() {
  const node = useNode()
  const [period, setPeriod] = useState('30')
  const [split, setSplit] = useState<(typeof SPLITS)[number][0]>('')
  const [measure, setMeasure] = useState<Measure>('cost')
  const { value, error } = useFetched(
    [period, split, measure].join(' '),
    (signal) => load(node, Number(period), split, measure, signal),
    { everyMs: EVERY_MS },
  )
  const format = (amount: bigint): string =>
    measure === 'cost' ? formatAmount(String(amount)) : formatCount(String(amount))
  return (
    <>
      <div class="row">
        <Field label="Period">
          <Choice value={period} onChange={setPeriod} options={PERIODS} />
        </Field>
        <Field label="Measured in">
          <Choice value={measure} onChange={(one) => setMeasure(one as Measure)} options={MEASURES} />
        </Field>
        <Field label="Split by">
          <Choice value={split} onChange={(one) => setSplit(one as typeof split)} options={SPLITS} />
        </Field>
      </div>
      <Complaint error={error} />
      {value !== null && (
        <>
          <Chart
            series={value.series}
            label={`${measure} by day, from ${value.series.days[0]} to ${value.series.days.at(-1)}: at most ${format(value.series.most)} a day, ${format(value.total)} in all. The table by day has the numbers.`}
            format={format}
          />
          {GROUPS.map((by) => (
            <UsageTable key={by} by={by} rows={value.rowsBy[by]} nameOf={value.nameOf} query={value.query} />
          ))}
        </>
      )}
    </>
  )
}

async function load(node: NodeApi, dayCount: number, split: string, measure: Measure, signal: AbortSignal) {
  const days = daysUntil(Date.now(), dayCount)
  const query = { from: days[0], to: days.at(-1) }
  const usage = async (more: Readonly<Record<string, string>>): Promise<readonly UsageRow[]> =>
    (await node.admin<List<UsageRow>>(`/usage${queryOf({ ...query, ...more })}`, { signal })).data
  const [keys, ...groups] = await Promise.all([
    node.admin<List<ApiKey>>('/keys', { signal }),
    ...GROUPS.map((by) => usage({ by })),
  ])
  const rowsBy = Object.fromEntries(GROUPS.map((by, i) => [by, groups[i] ?? []])) as unknown as Readonly<
    Record<Group, readonly UsageRow[]>
  >
  const keyNames = new Map(keys.data.map(({ id, name }) => [id, name]))
  const nameOf = (by: string, name: string): string =>
    name === NOBODY ? 'not known' : (by === 'key' && keyNames.get(name)) || name
  const named = split === '' ? [] : rowsBy[split as Group].map((row) => ({ name: String(row[split as Group]), row }))
  const parts = await Promise.all(
    largest(named, measure).map(async (name) => ({
      name: nameOf(split, name),
      rows: await usage({ by: 'day', [split]: name }),
    })),
  )
  const series = seriesOf(days, rowsBy.day, parts, measure)
  const total = series.layers.reduce((sum, { values }) => values.reduce((a, b) => a + b, sum), 0n)
  return { series, total, rowsBy, nameOf, query }
}
