/** One thing that `cocoon doctor` looked at. */
export interface Finding {
  readonly about: string
  readonly verdict: 'ok' | 'note' | 'missing'
  readonly what: string
  /** How to mend it; empty when there is nothing to. */
  readonly mend: string
}

export const finding = (about: string, verdict: Finding['verdict'], what: string, mend = ''): Finding => ({
  about,
  verdict,
  what,
  mend,
})
