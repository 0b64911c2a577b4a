/**
 * The tables that the daily ETL publishes, one partition a day, each with its staging twin and the recount that fills it.
 *
 * Marts that list things (products, click targets) come with the k rule already in them: cells of fewer than K people are
 * folded into one row `(other)`, together with the smallest cell that could be shown. Otherwise a lone hidden cell could be
 * had by subtracting the shown ones from the day's total. So `(other)` always speaks of at least K people, or of all there are,
 * and then the view hides it.
 */
export interface DayMart {
  table: string
  staging: string
  /** SELECT of the days' rows in the table's columns' order; has the parameters {from:Date} and {to:Date}, inclusive. */
  select: string
  /** Columns that no two rows of a day share. */
  key: string
  /** Of the same events, as raw rows and as staged ones: the staged count is never smaller unless staging was emptied. */
  count: { raw: string; staged: string }
  /** The table that analysts' views read, and the columns that it takes over; it has a `version` besides. */
  shown: { table: string; columns: string }
}

/** Smallest group that analysts may see. docs/bi.md argues the number and what it does not guard. */
export const K_PEOPLE = 5

/** Both forms: the first is a range of the sort key, the second prunes months. */
export const OF_DAYS = `toDate(ts) BETWEEN {from:Date} AND {to:Date}
  AND ts >= toDateTime64({from:Date}, 3, 'UTC') AND ts < toDateTime64({to:Date} + 1, 3, 'UTC')`

/** Cells with `parent` columns in common whose small ones are folded. `labels` become `(other)`. */
function foldSmallCells(cells: string, parent: string, labels: string[]): { from: string; labels: string } {
  // Of the cells in the order of their people, the first with K is the smallest to be shown: it goes too if any is hidden.
  const from = `(
    SELECT *,
      min(cell_users) OVER (PARTITION BY ${parent}) < ${K_PEOPLE} AS any_small,
      countIf(cell_users >= ${K_PEOPLE}) OVER (
        PARTITION BY ${parent} ORDER BY cell_users, ${labels.join(', ')} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS large_so_far,
      cell_users < ${K_PEOPLE} OR (any_small AND large_so_far = 1) AS folded
    FROM (${cells})
  )`
  return {
    from,
    labels: labels.map((label) => `if(folded, '(other)', ${label}) AS ${label}_shown`).join(', '),
  }
}

const products = foldSmallCells(
  `SELECT app, toDate(ts) AS day, event, currency, product, count() AS cell_events, uniq(subject) AS cell_users,
     uniqState(subject) AS cell_state, sum(toDecimal128(revenue, 4)) AS cell_revenue
   FROM events_raw WHERE ${OF_DAYS} AND product != '' GROUP BY app, day, event, currency, product`,
  'app, day, event, currency',
  ['product'],
)

const clicks = foldSmallCells(
  `SELECT app, toDate(ts) AS day, path, element, count() AS cell_events, uniq(subject) AS cell_users, uniqState(subject) AS cell_state
   FROM events_raw WHERE ${OF_DAYS} AND event = 'button_click' GROUP BY app, day, path, element`,
  'app, day',
  ['path', 'element'],
)

export const DAY_MARTS: readonly DayMart[] = [
  {
    table: 'products_batch_daily',
    staging: 'products_batch_staging',
    key: 'app, event, currency, product',
    count: { raw: "countIf(product != '')", staged: 'sum(events)' },
    shown: { table: 'shown_products', columns: 'app, day, event, currency, product, events, users, revenue' },
    select: `SELECT app, day, event, currency, ${products.labels}, sum(cell_events), uniqMerge(cell_state), sum(cell_revenue)
      FROM ${products.from} GROUP BY app, day, event, currency, product_shown`,
  },
  {
    table: 'clicks_batch_daily',
    staging: 'clicks_batch_staging',
    key: 'app, path, element',
    count: { raw: "countIf(event = 'button_click')", staged: 'sum(clicks)' },
    shown: { table: 'shown_clicks', columns: 'app, day, path, element, clicks, users' },
    select: `SELECT app, day, ${clicks.labels}, sum(cell_events), uniqMerge(cell_state)
      FROM ${clicks.from} GROUP BY app, day, path_shown, element_shown`,
  },
  {
    table: 'sessions_batch_daily',
    staging: 'sessions_batch_staging',
    key: 'app',
    count: { raw: 'uniqExactIf(app, session != 0)', staged: 'count()' },
    shown: { table: 'shown_sessions', columns: 'app, day, sessions, users, bounces, pages, seconds' },
    select: `SELECT app, day, count(), uniq(subject), countIf(events = 1), sum(pages), sum(seconds)
      FROM (
        SELECT app, toDate(ts) AS day, subject, session, count() AS events, countIf(event IN ('page_view', 'screen')) AS pages,
          toFloat64(dateDiff('millisecond', min(ts), max(ts))) / 1000 AS seconds
        FROM events_raw WHERE ${OF_DAYS} AND session != 0 GROUP BY app, day, subject, session
      ) GROUP BY app, day`,
  },
  {
    table: 'metrics_batch_daily',
    staging: 'metrics_batch_staging',
    key: 'app, event, currency',
    count: { raw: 'count()', staged: 'sum(events)' },
    shown: { table: 'shown_daily', columns: 'app, day, event, currency, events, users, sessions, revenue' },
    select: `SELECT app, toDate(ts) AS day, event, currency, count(), uniq(subject), uniqIf(session, session != 0),
        sum(toDecimal128(revenue, 4)), uniqState(subject), uniqIfState(session, session != 0)
      FROM events_raw WHERE ${OF_DAYS} GROUP BY app, day, event, currency`,
  },
]
