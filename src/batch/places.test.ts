import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPlaces, type Place } from './places.ts'

test('a line that has not left when the load is asked for comes on top of it', () => {
  const places = createPlaces()
  const [one, two] = [places.take('m'), places.take('m')]
  one.left()
  const told = places.asked()
  two.left()
  told()
  expect(places.beyondTold('m')).toBe(1)
  one.free()
  expect(places.beyondTold('m')).toBe(0)
  two.free()
  two.free()
  expect(places.beyondTold('m')).toBe(-1)
  expect(places.beyondTold('other')).toBe(0)
})

test('whatever begins, leaves, ends and is told: told and beyond it together are never less than what is under way', () => {
  const step = fc.record({ does: fc.constantFrom('take', 'leave', 'free', 'ask', 'tell'), which: fc.nat(9) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const places = createPlaces()
      const underWay: { readonly place: Place; hasLeft: boolean }[] = []
      let asked: { readonly told: () => void; readonly load: number } | null = null
      let load = 0
      for (const { does, which } of steps) {
        const one = underWay[which % Math.max(1, underWay.length)]
        if (does === 'take') underWay.push({ place: places.take('m'), hasLeft: false })
        else if (does === 'leave' && one !== undefined) {
          one.place.left()
          one.hasLeft = true
        } else if (does === 'free' && one !== undefined) {
          one.place.free()
          underWay.splice(underWay.indexOf(one), 1)
        } else if (does === 'ask') asked = { told: places.asked(), load: underWay.filter((u) => u.hasLeft).length }
        else if (does === 'tell' && asked !== null) {
          asked.told()
          load = asked.load
          asked = null
        }
        expect(load + places.beyondTold('m')).toBeGreaterThanOrEqual(underWay.length)
      }
    }),
  )
})
