/** Models on offer: price for a million tokens of each class, workers, load. */
import { useState } from 'preact/hooks'
import { useFetched } from '../node/fetched.ts'
import { isNodeOwner, useSelf } from '../node/self.ts'
import { useNode } from '../node/session.ts'
import { type List, type Model, type Price, TOKEN_CLASSES } from '../node/shapes.ts'
import { Complaint } from '../parts/complaint.tsx'
import { Field, TextInput } from '../parts/field.tsx'
import { formatAmount, formatMoney } from '../parts/format.ts'
import { Meter } from '../parts/meter.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { keptCallerKey } from './playground/caller-key.tsx'

const EVERY_MS = 10_000

interface Offer extends Price {
  readonly running: number
  readonly room: number
}

export function Models() {
  const node = useNode()
  // Members' credentials open no models; the key that they gave to the playground does.
  const apiKey = isNodeOwner(useSelf()) ? '' : keptCallerKey()
  const [wanted, setWanted] = useState('')
  const { value, error } = useFetched(
    'models',
    async (signal) => {
      const [prices, models] = await Promise.all([
        node.askJson<List<Price>>('/v1/prices', apiKey, { signal }),
        node.askJson<List<Model>>('/v1/models', apiKey, { signal }),
      ])
      return offersOf(prices.data, models.data)
    },
    { everyMs: EVERY_MS },
  )
  const shown = value?.filter(({ id }) => id.toLowerCase().includes(wanted.trim().toLowerCase())) ?? []
  return (
    <>
      <Complaint error={error} />
      <div class="row">
        <Field label="Find a model">
          <TextInput value={wanted} onInput={setWanted} />
        </Field>
      </div>
      {value !== null && (
        <Table
          caption="Prices for a million tokens, at the cheapest worker; looked up again every ten seconds"
          columns={COLUMNS}
          rows={shown}
          keyOf={({ id }) => id}
          none={value.length === 0 ? 'No worker offers a model at the moment.' : 'No model has this in its name.'}
        />
      )}
    </>
  )
}

const COLUMNS: readonly Column<Offer>[] = [
  { head: 'Model', cell: ({ id }) => <a href={`#/playground/${encodeURIComponent(id)}`}>{id}</a> },
  { head: 'Workers', cell: ({ workers }) => workers, kind: 'number' },
  {
    head: 'Busy',
    cell: ({ running, room }) =>
      room === 0 ? 'not told' : <Meter value={running} max={room} high={room * 0.9} text={`${running} of ${room}`} />,
  },
  ...TOKEN_CLASSES.map(
    (kind): Column<Offer> => ({
      head: `${kind[0]?.toUpperCase()}${kind.slice(1)}`,
      cell: (price) => <ClassPrice price={price} kind={kind} />,
      kind: kind === 'prompt' || kind === 'completion' ? 'number' : 'detail number',
    }),
  ),
]

function ClassPrice({ price, kind }: { readonly price: Price; readonly kind: (typeof TOKEN_CLASSES)[number] }) {
  const { cheapest, dearest } = price
  if (cheapest === null || dearest === null) return null
  const [least, most] = [cheapest[`${kind}_per_million_nano`], dearest[`${kind}_per_million_nano`]]
  return (
    <>
      {formatMoney(least, cheapest[`${kind}_per_million_fiat`])}
      {most !== least && <small class="hint"> to {formatAmount(most)}</small>}
    </>
  )
}

function offersOf(prices: readonly Price[], models: readonly Model[]): readonly Offer[] {
  return prices.map((price) => {
    const workers = models.find(({ id }) => id === price.id)?.workers ?? []
    const sum = (of: 'running_requests' | 'max_running_requests'): number =>
      workers.reduce((total, worker) => total + worker[of], 0)
    return { ...price, running: sum('running_requests'), room: sum('max_running_requests') }
  })
}
