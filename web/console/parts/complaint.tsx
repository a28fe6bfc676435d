/** What went wrong, its code, and what mends it. */
import { mendOf, Refusal } from '../node/refusal.ts'

export function Complaint({ error }: { readonly error: unknown }) {
  if (error === null || error === undefined) return null
  const refusal = error instanceof Refusal ? error : null
  const mend = refusal === null ? null : mendOf(refusal.code)
  return (
    <div class="complaint" role="alert">
      <p>
        {error instanceof Error ? error.message : String(error)}{' '}
        {refusal !== null && refusal.code !== '' && <code>{refusal.code}</code>}
      </p>
      {refusal !== null && refusal.field !== null && (
        <p>
          The field at fault is <code>{refusal.field}</code>.
        </p>
      )}
      {mend !== null && (
        <p>
          {mend.text} {mend.href !== undefined && <a href={mend.href}>Go there</a>}
        </p>
      )}
      {refusal !== null && refusal.retryAfterS !== null && <p>Worth another try in {refusal.retryAfterS} s.</p>}
    </div>
  )
}
