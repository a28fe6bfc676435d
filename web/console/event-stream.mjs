/** Server-sent events of a chat answer, as they arrive in pieces of any size. */

/**
 * @param {Response} reply
 * @returns {AsyncGenerator<any>}
 */
export async function* eventsOf(reply) {
  if (reply.body === null) return
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const events = (rest + value).split('\n\n')
    rest = events.pop() ?? ''
    for (const event of events) {
      const text = event
        .split('\n')
        .filter((line) => line.startsWith('data:'))
        .map((line) => line.slice(5).trim())
        .join('\n')
      if (text === '[DONE]') return
      if (text !== '') yield JSON.parse(text)
    }
  }
}
