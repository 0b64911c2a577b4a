import type { BusinessDay } from '../clickhouse/read-business-day.ts'
import { countShown, shownRevenue, type Value } from './business-figures.ts'
import { formatCount, formatMoney, parseMoney } from './format-figures.ts'
import { FEW, guardByApp, K } from './guard-small-groups.ts'
import type { Section } from './report-section.ts'

/** Of K people or more, but with it the total of the app would tell a figure that hides. */
const NOT_SHOWN = 'not shown'

type Product = BusinessDay['products'][number]

/** The most purchased products; null when the day has none. */
export function productsSection(today: BusinessDay, top: number): Section | null {
  if (today.products.length === 0) return null
  const { shown, hidden } = guardByApp(today.products)
  const cells = new Map<Product, { carts: string; purchases: string }>()
  for (const app of new Set(shown.map((row) => row.app))) {
    const rows = shown.filter((row) => row.app === app)
    const carts = guardCounts(
      rows.map((row) => ({ count: row.carts, people: row.carters })),
      countShown(today, 'add_to_cart', app),
    )
    const purchases = guardCounts(
      rows.map((row) => ({ count: row.purchases, people: row.buyers })),
      countShown(today, 'purchase', app),
    )
    rows.forEach((row, index) => {
      cells.set(row, { carts: carts[index] ?? FEW, purchases: purchases[index] ?? FEW })
    })
  }
  return {
    title: 'Top products',
    head: ['App', 'Product', 'Added to cart', 'Purchases', 'Revenue', 'People'],
    rows: shown.slice(0, top).map((row) => {
      const { carts, purchases } = cells.get(row) ?? { carts: FEW, purchases: FEW }
      const revenue = purchases === FEW || purchases === NOT_SHOWN ? purchases : moneyOf(row, today)
      return [row.app, row.product, carts, purchases, revenue, formatCount(row.users)]
    }),
    textColumns: 2,
    hidden,
  }
}

/**
 * A column of one app's products. What fewer than K people did hides, however often they did it; where one hides, the
 * smallest of the others goes too, since the app's total is in the report.
 */
function guardCounts(cells: readonly { count: number; people: number }[], total: Value): string[] {
  if (total === 'few') return cells.map(() => FEW)
  const isFew = ({ people }: { people: number }) => people > 0 && people < K
  const large = cells.filter(({ people }) => people >= K).map(({ count }) => count)
  const least = Math.min(...large)
  const beside = cells.some(isFew)
    ? cells.findIndex(({ count, people }) => people >= K && count === least)
    : -1
  return cells.map((cell, index) =>
    isFew(cell) ? FEW : index === beside ? NOT_SHOWN : formatCount(cell.count),
  )
}

/** In the currencies whose total of the app is shown. */
function moneyOf(row: Product, today: BusinessDay): string {
  const currencies = new Set(
    shownRevenue(today)
      .filter((one) => one.app === row.app)
      .map((one) => one.currency),
  )
  const paid = Object.entries(row.revenue)
  const shown = paid
    .filter(([currency]) => currencies.has(currency))
    .map(([currency, revenue]) => formatMoney(parseMoney(String(revenue)), currency))
  return shown.join(', ') || (paid.length > 0 ? FEW : '–')
}
