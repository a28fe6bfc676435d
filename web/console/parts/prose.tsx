/** What a model wrote, as text: fenced code in its own box, all else as it came. Nothing becomes markup. */
const FENCE = /^```[^\n]*\n([\s\S]*?)(?:^```[ \t]*$|(?![\s\S]))/gm

export function Prose({ text }: { readonly text: string }) {
  const pieces: { readonly isCode: boolean; readonly text: string }[] = []
  let at = 0
  for (const fence of text.matchAll(FENCE)) {
    pieces.push({ isCode: false, text: text.slice(at, fence.index) }, { isCode: true, text: fence[1] ?? '' })
    at = fence.index + fence[0].length
  }
  pieces.push({ isCode: false, text: text.slice(at) })
  return (
    <div class="prose">
      {pieces.map((piece, i) =>
        piece.isCode ? (
          <pre key={i} tabIndex={0}>
            <code>{piece.text}</code>
          </pre>
        ) : (
          piece.text.trim() !== '' && <p key={i}>{piece.text.trim()}</p>
        ),
      )}
    </div>
  )
}
