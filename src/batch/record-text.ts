/** Records as the store keeps them: JSON, in which an amount is an object of its own kind. */

export const toText = (record: object): string =>
  JSON.stringify(record, (_, value: unknown) => (typeof value === 'bigint' ? { $nano: String(value) } : value))

/** Of a record that `toText` wrote: callers can write no object into one. */
export const fromText = <T>(text: string): T =>
  JSON.parse(text, (_, value: unknown) => {
    const amount = (value as { $nano?: string } | null)?.$nano
    return typeof amount === 'string' ? BigInt(amount) : value
  }) as T
