/**
 * Lines under way, against what the network last told of its load. That was true when it was told: lines that had not left by then
 * come on top of it, and lines that were in it and have ended since are no longer there.
 */

export interface Place {
  /** The line is on its way to a worker. */
  left(): void
  /** Its answer has come, or it never left. Once; after that it does nothing. */
  free(): void
}

export interface Places {
  take(model: string): Place
  /** The load is being asked for. @returns to be called when it was told */
  asked(): () => void
  /** How many more requests than it was told the network has in work; below zero for fewer. */
  beyondTold(model: string): number
}

interface Taken {
  readonly model: string
  hasLeft: boolean
  isTold: boolean
}

export function createPlaces(): Places {
  const taken = new Set<Taken>()
  let endedByModel = new Map<string, number>()
  return {
    take(model) {
      const one: Taken = { model, hasLeft: false, isTold: false }
      taken.add(one)
      return {
        left: () => void (one.hasLeft = true),
        free() {
          if (taken.delete(one) && one.isTold) endedByModel.set(model, (endedByModel.get(model) ?? 0) + 1)
        },
      }
    },
    asked() {
      const onTheirWay = [...taken].filter(({ hasLeft }) => hasLeft)
      return () => {
        endedByModel = new Map()
        for (const one of taken) one.isTold = false
        for (const one of onTheirWay) one.isTold = true
      }
    },
    beyondTold(model) {
      const untold = [...taken].filter((one) => one.model === model && !one.isTold).length
      return untold - (endedByModel.get(model) ?? 0)
    },
  }
}
