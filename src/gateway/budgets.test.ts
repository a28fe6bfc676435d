import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { manualClock } from '../util/index.ts'
import { type Budget, BUDGET_SCOPES, BUDGET_WINDOWS } from './accounts.ts'
import { type BudgetState, createBudgets, type Payer, type Reservation } from './budgets.ts'
import { createSpending } from './spending.ts'
import { DAY_MS, windowAt } from './windows.ts'

const START_MS = Date.UTC(2026, 0, 14, 12)
const payer: Payer = { project: 'shop', key: 'k1', model: 'm' }
const budget = (over: Partial<Budget> = {}): Budget => ({
  scope: 'key',
  id: 'k1',
  model: '',
  window: 'day',
  limitNano: 100n,
  warnAtPercent: 80,
  warnedFromMs: null,
  ...over,
})

function setup() {
  const clock = manualClock(START_MS)
  const warned: BudgetState[] = []
  const spending = createSpending()
  const budgets = createBudgets(clock, spending, (state) => void warned.push(state))
  const reserve = (nano: bigint, who = payer): Reservation => {
    const made = budgets.reserve(who, nano)
    if ('short' in made) throw new Error('the budget is short')
    return made
  }
  return { clock, spending, budgets, warned, reserve }
}

describe('a budget', () => {
  test('is used up by reservations before anything is spent, and freed by what was not used', () => {
    const { budgets, reserve } = setup()
    budgets.set(budget())
    const first = reserve(60n)
    expect(budgets.reserve(payer, 41n)).toMatchObject({ short: { reservedNano: 60n, spentNano: 0n } })
    first.settle(10n)
    first.settle(10n)
    expect(budgets.list()).toMatchObject([{ reservedNano: 0n, spentNano: 10n }])
    reserve(90n)
    expect(budgets.reserve(payer, 1n)).toHaveProperty('short')
  })

  test.each([
    ['another key', { ...payer, key: 'k2' }, { scope: 'key', id: 'k1' }],
    ['another project', { ...payer, project: 'lab' }, { scope: 'project', id: 'shop' }],
    ['another model', { ...payer, model: 'n' }, { scope: 'node', id: '', model: 'm' }],
  ] as const)('does not bind %s', (_, who, over) => {
    const { budgets } = setup()
    budgets.set(budget({ ...over, limitNano: 0n }))
    expect(budgets.reserve(who, 1n)).not.toHaveProperty('short')
    expect(budgets.reserve(payer, 1n)).toHaveProperty('short')
  })

  test('that refuses leaves nothing reserved in the others', () => {
    const { budgets } = setup()
    budgets.set(budget({ scope: 'node', id: '', limitNano: 1000n }))
    budgets.set(budget({ limitNano: 5n }))
    expect(budgets.reserve(payer, 6n)).toHaveProperty('short')
    expect(budgets.list().map((state) => state.reservedNano)).toEqual([0n, 0n])
  })

  test.each([
    ['day', DAY_MS],
    ['week', 7 * DAY_MS],
    ['month', 31 * DAY_MS],
  ] as const)('of a %s is whole again in the next one, less what still runs', (window, lengthMs) => {
    const { budgets, clock, reserve } = setup()
    budgets.set(budget({ window }))
    reserve(50n).settle(50n)
    const running = reserve(30n)
    clock.advance(lengthMs)
    expect(budgets.reserve(payer, 71n)).toHaveProperty('short')
    running.settle(30n)
    expect(budgets.list()).toMatchObject([{ spentNano: 30n, reservedNano: 0n }])
  })

  test('made late knows what was spent in its window before', () => {
    const { budgets, clock, reserve } = setup()
    reserve(10n).settle(10n)
    clock.advance(DAY_MS)
    reserve(5n).settle(5n)
    for (const window of BUDGET_WINDOWS) budgets.set(budget({ window }))
    const spent = Object.fromEntries(budgets.list().map((state) => [state.budget.window, state.spentNano]))
    expect(spent).toEqual({ day: 5n, week: 15n, month: 15n, total: 15n })
  })

  test('that was made while a request ran counts that request as well', () => {
    const { budgets, reserve } = setup()
    const running = reserve(10n)
    budgets.set(budget())
    running.settle(7n)
    expect(budgets.list()).toMatchObject([{ spentNano: 7n, reservedNano: 0n }])
  })

  test('warns once in a window, when its share is spent', () => {
    const { budgets, clock, warned, reserve } = setup()
    budgets.set(budget())
    reserve(79n).settle(79n)
    expect(warned).toHaveLength(0)
    reserve(1n).settle(1n)
    reserve(1n).settle(1n)
    expect(warned).toMatchObject([{ spentNano: 80n, budget: { scope: 'key', id: 'k1' } }])
    clock.advance(DAY_MS)
    reserve(90n).settle(90n)
    expect(warned).toHaveLength(2)
  })

  test('weeks begin on Monday and months on the first, in UTC', () => {
    expect(windowAt('week', Date.UTC(2026, 0, 18, 23, 59)).fromMs).toBe(Date.UTC(2026, 0, 12))
    expect(windowAt('week', Date.UTC(2026, 0, 19)).fromMs).toBe(Date.UTC(2026, 0, 19))
    expect(windowAt('month', Date.UTC(2026, 11, 31))).toEqual({
      fromMs: Date.UTC(2026, 11),
      untilMs: Date.UTC(2027, 0),
    })
  })
})

test('whatever is reserved, settled, cancelled and however time passes, no budget is overspent in its window', () => {
  const place = fc.record({
    scope: fc.constantFrom(...BUDGET_SCOPES),
    window: fc.constantFrom(...BUDGET_WINDOWS),
    model: fc.constantFrom('', 'm', 'n'),
    limit: fc.bigInt(0n, 500n),
  })
  const step = fc.oneof(
    fc.record({
      do: fc.constant('ask' as const),
      key: fc.constantFrom('k1', 'k2'),
      model: fc.constantFrom('m', 'n'),
      nano: fc.bigInt(0n, 120n),
    }),
    fc.record({ do: fc.constant('end' as const), which: fc.nat(), share: fc.bigInt(0n, 100n) }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 40 * DAY_MS }) }),
  )
  fc.assert(
    fc.property(fc.array(place, { minLength: 1, maxLength: 6 }), fc.array(step, { maxLength: 80 }), (places, steps) => {
      const { budgets, clock } = setup()
      for (const { scope, window, model, limit } of places)
        budgets.set(
          budget({
            scope,
            window,
            model,
            limitNano: limit,
            id: scope === 'node' ? '' : scope === 'key' ? 'k1' : 'shop',
          }),
        )
      const running: { readonly reservation: Reservation; readonly nano: bigint }[] = []
      for (const s of steps) {
        if (s.do === 'wait') clock.advance(s.ms)
        else if (s.do === 'ask') {
          const made = budgets.reserve({ project: 'shop', key: s.key, model: s.model }, s.nano)
          if ('short' in made) continue
          running.push({ reservation: made, nano: s.nano })
        } else if (running.length > 0) {
          const [one] = running.splice(s.which % running.length, 1)
          one?.reservation.settle((one.nano * s.share) / 100n)
        }
        for (const state of budgets.list()) {
          expect(state.reservedNano).toBeGreaterThanOrEqual(0n)
          expect(state.spentNano + state.reservedNano).toBeLessThanOrEqual(state.budget.limitNano)
        }
      }
      for (const { reservation } of running) reservation.settle(0n)
      expect(budgets.list().every((state) => state.reservedNano === 0n)).toBe(true)
    }),
  )
})
