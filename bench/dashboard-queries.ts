export interface DashboardQuery {
  name: string
  sql: string
}

/** What a BI dashboard asks of `bi`: each view, in the shapes people draw. Unqualified: the database is the connection's. */
export const DASHBOARD_QUERIES: readonly DashboardQuery[] = [
  {
    name: 'events by day, a year',
    sql: `SELECT day, sum(events) AS events FROM daily WHERE day >= today() - 364 GROUP BY day ORDER BY day`,
  },
  {
    name: 'one app by event, 90 days',
    sql: `SELECT day, event, events, users, sessions FROM daily WHERE app = 'shop' AND day >= today() - 89 ORDER BY day, event`,
  },
  {
    name: 'revenue by month',
    sql: `SELECT toStartOfMonth(day) AS month, currency, sum(revenue) AS revenue FROM daily WHERE event = 'purchase' GROUP BY month, currency ORDER BY month`,
  },
  {
    name: 'today so far',
    sql: `SELECT app, event, events, users, final FROM daily WHERE day >= today() - 1 ORDER BY app, event`,
  },
  {
    name: 'live, last hour',
    sql: `SELECT minute, app, sum(events) AS events FROM minute WHERE minute >= now() - INTERVAL 1 HOUR GROUP BY minute, app ORDER BY minute`,
  },
  {
    name: 'sessions, a year',
    sql: `SELECT day, app, sessions, users, bounce_rate, seconds_per_session FROM sessions_daily ORDER BY day, app`,
  },
  {
    name: 'top clicks, 30 days',
    sql: `SELECT path, element, sum(clicks) AS clicks FROM click_patterns WHERE day >= today() - 29 GROUP BY path, element ORDER BY clicks DESC LIMIT 20`,
  },
  {
    name: 'top clicks, a year',
    sql: `SELECT app, path, element, sum(clicks) AS clicks FROM click_patterns GROUP BY app, path, element ORDER BY clicks DESC LIMIT 20`,
  },
  {
    name: 'top products, a year',
    sql: `SELECT product, sum(revenue) AS revenue FROM products_daily WHERE event = 'purchase' GROUP BY product ORDER BY revenue DESC LIMIT 20`,
  },
  {
    name: 'product conversion, 30 days',
    sql: `SELECT product, sumIf(events, event = 'purchase') / sumIf(events, event = 'add_to_cart') AS share FROM products_daily WHERE day >= today() - 29 AND app = 'shop' GROUP BY product HAVING sumIf(events, event = 'add_to_cart') > 0 ORDER BY share DESC LIMIT 20`,
  },
  { name: 'monthly trends', sql: `SELECT * FROM trends_monthly ORDER BY month, app, event` },
  {
    name: 'recounted days, a week',
    sql: `SELECT * FROM batch_daily WHERE day >= today() - 7 ORDER BY day, app, event`,
  },
]
