/** Sets of constructors of which one stands in a place, told apart by their ids. */
import { tlError } from './errors.ts'
import type { AnyCtor, Type, Union, ValueOf } from './types.ts'

/**
 * One of `members`, id first. For a boxed field `name` is the schema's type (`proxy.SignedPayment`), since it becomes part
 * of the declarations that use it; for the messages of one direction it is a name for people.
 * Throws bug.tl-definition when two members share an id.
 */
export function union<const M extends readonly AnyCtor[]>(name: string, members: M): Union<ValueOf<M[number]>, M> {
  const memberById = new Map(members.map((member) => [member.id, member]))
  const memberByName = new Map(members.map((member) => [member.name, member]))
  if (memberById.size !== members.length) throw tlError('bug.tl-definition', { constructorName: name })
  const body: Type<{ readonly _: string }> = {
    tl: name,
    minBytes: 4 + Math.min(...members.map((member) => member.body.minBytes)),
    depth: Math.max(...members.map((member) => member.body.depth)),
    shape: { is: 'boxed', members },
    size(value, place) {
      const member = memberByName.get(value._) ?? place.fail('bug.tl-value')
      return 4 + member.body.size(value, place)
    },
    write(w, value) {
      const member = memberByName.get(value._) ?? w.fail('bug.tl-value')
      w.uint32(member.id)
      member.body.write(w, value)
    },
    read(r) {
      const at = r.at
      const member = memberById.get(r.uint32())
      if (member === undefined) {
        r.at = at
        return r.fail('tl.unknown-constructor')
      }
      return member.readAsBoxed(r) as { readonly _: string }
    },
  }
  // Members carry their value types; the maps forget them, and this is where they are put back.
  return { name, members, body: body as Type<unknown> as Type<ValueOf<M[number]>> }
}
