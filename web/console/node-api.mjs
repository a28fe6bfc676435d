/** The client node that served this page. Its admin key came behind `#` and stays in this tab. */

const KEY = 'cocoon-admin-key'

/** Takes the key out of the address, where a look over the shoulder or a screenshot would show it. */
export function takeKey() {
  const given = decodeURIComponent(location.hash.slice(1))
  if (given === '') return
  sessionStorage.setItem(KEY, given)
  history.replaceState(null, '', location.pathname)
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null

/** @param {string} key */
export const keepKey = (key) => sessionStorage.setItem(KEY, key)

export const forgetKey = () => sessionStorage.removeItem(KEY)

/** What the node refused, in its own words. */
export class Refusal extends Error {
  /**
   * @param {string} message
   * @param {boolean} isAboutAdminKey
   */
  constructor(message, isAboutAdminKey) {
    super(message)
    this.isAboutAdminKey = isAboutAdminKey
  }
}

/**
 * @param {string} path below `/admin`
 * @param {string} [method]
 * @param {object} [body]
 * @returns {Promise<any>}
 */
export async function admin(path, method = 'GET', body) {
  const headers = { authorization: `Bearer ${sessionStorage.getItem(KEY) ?? ''}` }
  const reply = await fetch(`/admin${path}`, {
    method,
    headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return reply.status === 204 ? null : answerOf(reply, reply.status === 401)
}

/**
 * The OpenAI side of the node.
 * @param {string} path
 * @param {{ key?: string, body?: object, signal?: AbortSignal }} [options]
 */
export async function api(path, { key: given = '', body, signal } = {}) {
  // The admin key is the owner's, who may ask as well.
  const key = given === '' ? (sessionStorage.getItem(KEY) ?? '') : given
  const reply = await fetch(path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...(key === '' ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  })
  if (!reply.ok) await answerOf(reply, false)
  return reply
}

/**
 * @param {Response} reply
 * @param {boolean} isAboutAdminKey
 */
async function answerOf(reply, isAboutAdminKey) {
  const answer = await reply.json().catch(() => ({}))
  if (reply.ok) return answer
  const { message = `The node answered with status ${reply.status}.`, code = '' } = answer.error ?? {}
  throw new Refusal(code === '' ? message : `${message} (${code})`, isAboutAdminKey)
}
