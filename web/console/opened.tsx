/** What needs to be known before any view: who has opened the page. */
import type { ComponentChildren } from 'preact'
import { useFetched } from './node/fetched.ts'
import { type Self, SelfContext } from './node/self.ts'
import { useNode } from './node/session.ts'
import { Complaint } from './parts/complaint.tsx'

/** Where the node did not answer at first. */
const AGAIN_MS = 3_000

export function Opened({ children }: { readonly children: ComponentChildren }) {
  const node = useNode()
  const { value, error } = useFetched('self', (signal) => node.admin<Self>('/self', { signal }), {
    everyMs: AGAIN_MS,
    until: (self) => self !== null,
  })
  if (value === null) return <Complaint error={error} />
  return <SelfContext.Provider value={value}>{children}</SelfContext.Provider>
}
