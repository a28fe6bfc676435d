/** A value that prints as `<secret>` wherever it is logged, stringified or inspected; `reveal` opens it. */
export class Secret<T> {
  readonly #value: T
  constructor(value: T) {
    this.#value = value
  }
  static open<T>(secret: Secret<T>): T {
    return secret.#value
  }
  toString(): string {
    return '<secret>'
  }
  toJSON(): string {
    return '<secret>'
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '<secret>'
  }
}

export const reveal = <T>(secret: Secret<T>): T => Secret.open(secret)
