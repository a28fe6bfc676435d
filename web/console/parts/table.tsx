/** A table with a caption, that scrolls by itself where it is too wide. */
import { type ComponentChildren, Fragment } from 'preact'

export interface Column<Row> {
  readonly head: string
  readonly cell: (row: Row) => ComponentChildren
  /** Numbers stand at the right; details are left out where there is no room. */
  readonly kind?: 'number' | 'detail' | 'detail number'
}

export interface TableProps<Row> {
  readonly caption: string
  /** A heading above says the same. */
  readonly isCaptionHidden?: boolean
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string
  /** What stands there without rows. */
  readonly none: ComponentChildren
  /** In a row of its own beneath its row; null: closed. */
  readonly details?: (row: Row) => ComponentChildren
}

export function Table<Row>({ caption, isCaptionHidden = false, columns, rows, keyOf, none, details }: TableProps<Row>) {
  if (rows.length === 0) return <p class="none">{none}</p>
  return (
    <div class="scroll" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption class={isCaptionHidden ? 'unseen' : ''}>{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ head, kind }) => (
              <th key={head} scope="col" class={kind}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const below = details?.(row) ?? null
            return (
              <Fragment key={keyOf(row)}>
                <tr>
                  {columns.map(({ head, cell, kind }) => (
                    <td key={head} class={kind}>
                      {cell(row)}
                    </td>
                  ))}
                </tr>
                {below !== null && (
                  <tr class="details">
                    <td colSpan={columns.length}>{below}</td>
                  </tr>
                )}
              </Fragment>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}
