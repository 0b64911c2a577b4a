-- All that analysts see. docs/bi.md says what these views guard against and what they do not.
--
-- Every view reads as its definer, so that its reader needs no right on the tables, hides groups of fewer than 5 people, and
-- ends in a LIMIT that no result reaches. The LIMIT is a wall: a reader's own condition cannot be pushed below it, so an
-- expression like throwIf(users < 5) is never evaluated on a hidden row. The price is that a reader's condition does not
-- prune either; what stands below the wall is small (rows a day and cell, not events). The tables of days past hold no hidden rows
-- in the first place, only older versions of shown ones.
--
-- Days past come from the published tables alone and change only at the daily swap, so that watching them tells nothing of a single
-- person's erasure. Days not swapped yet (at most the last three) are live and rounded down to multiples of 5.

CREATE OR REPLACE VIEW {bi}.daily {on_cluster}
(
    app LowCardinality(String) COMMENT 'App that sent the events',
    day Date COMMENT 'Day of the events, UTC',
    event LowCardinality(String) COMMENT 'Event name, as registered',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the revenue; empty for events without money',
    events UInt64 COMMENT 'Number of events; rounded down to a multiple of 5 while final = 0',
    users UInt64 COMMENT 'Distinct people, never fewer than 5; rounded down to a multiple of 5 while final = 0',
    sessions UInt64 COMMENT 'Distinct sessions; rounded down to a multiple of 5 while final = 0',
    revenue Decimal(38, 4) COMMENT 'Sum of money in the currency; two significant digits while final = 0',
    final UInt8 COMMENT '1 once the daily ETL has recounted the day, 0 while the day is live'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
COMMENT 'Events, people, sessions and revenue by app, day and event. Groups of fewer than 5 people are left out.'
AS SELECT app, day, event, currency, events, users, sessions, revenue, final
FROM
(
    SELECT app, day, event, currency, events, users, sessions, revenue, toUInt8(1) AS final
    FROM {db}.shown_daily
    WHERE (day, version) IN (SELECT day, max(version) FROM {db}.published_days GROUP BY day)
    UNION ALL
    SELECT
        app,
        day,
        event,
        currency,
        intDiv(sum(s.events), 5) * 5 AS events,
        intDiv(uniqMerge(s.users) AS people, 5) * 5 AS users,
        intDiv(uniqIfMerge(s.sessions), 5) * 5 AS sessions,
        toDecimal128(floor(toFloat64(sum(s.revenue) AS money), 1 - toInt32(floor(log10(greatest(toFloat64(money), 1))))), 4) AS revenue,
        toUInt8(0) AS final
    FROM {db}.metrics_streaming_daily AS s
    WHERE day >= toDate(now('UTC')) - 2 AND day NOT IN (SELECT day FROM {db}.published_days WHERE day >= toDate(now('UTC')) - 2)
    GROUP BY app, day, event, currency
    HAVING people >= 5
)
LIMIT 1000000000;

CREATE OR REPLACE VIEW {bi}.batch_daily {on_cluster}
(
    app LowCardinality(String) COMMENT 'App that sent the events',
    day Date COMMENT 'Day of the events, UTC',
    event LowCardinality(String) COMMENT 'Event name, as registered',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the revenue; empty for events without money',
    events UInt64 COMMENT 'Number of events',
    users UInt64 COMMENT 'Distinct people, never fewer than 5',
    sessions UInt64 COMMENT 'Distinct sessions',
    revenue Decimal(38, 4) COMMENT 'Sum of money in the currency'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
COMMENT 'The recounted days of bi.daily only. Groups of fewer than 5 people are left out.'
AS SELECT app, day, event, currency, events, users, sessions, revenue
FROM {db}.shown_daily
WHERE (day, version) IN (SELECT day, max(version) FROM {db}.published_days GROUP BY day)
LIMIT 1000000000;

CREATE OR REPLACE VIEW {bi}.minute {on_cluster}
(
    app LowCardinality(String) COMMENT 'App that sent the events',
    minute DateTime('UTC') COMMENT 'Minute of the events, UTC; the last 24 hours are shown',
    event LowCardinality(String) COMMENT 'Event name, as registered',
    events UInt64 COMMENT 'Number of events, rounded down to a multiple of 5',
    users UInt64 COMMENT 'Distinct people, rounded down to a multiple of 5, never fewer than 5'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
COMMENT 'Live activity by minute. Groups of fewer than 5 people are left out, figures are rounded.'
AS SELECT
    app,
    minute,
    event,
    intDiv(sum(m.events), 5) * 5 AS events,
    intDiv(uniqMerge(m.users) AS people, 5) * 5 AS users
FROM {db}.metrics_minute AS m
WHERE minute >= now() - INTERVAL 24 HOUR
GROUP BY app, minute, event
HAVING people >= 5
LIMIT 1000000000;

CREATE OR REPLACE VIEW {bi}.sessions_daily {on_cluster}
(
    app LowCardinality(String) COMMENT 'App that sent the events',
    day Date COMMENT 'Day of the sessions, UTC; a session over midnight counts on both days',
    sessions UInt64 COMMENT 'Number of sessions',
    users UInt64 COMMENT 'Distinct people with a session, never fewer than 5',
    pages_per_session Float64 COMMENT 'Pages and screens seen per session, one decimal',
    seconds_per_session Float64 COMMENT 'Mean time between the first and the last event of a session, whole seconds',
    bounce_rate Float64 COMMENT 'Share of sessions with a single event, two decimals'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
COMMENT 'Sessions by app and day, once recounted. Days with fewer than 5 people are left out.'
AS SELECT
    app,
    day,
    sessions,
    users,
    round(pages / sessions, 1) AS pages_per_session,
    round(seconds / sessions) AS seconds_per_session,
    round(bounces / sessions, 2) AS bounce_rate
FROM {db}.shown_sessions
WHERE (day, version) IN (SELECT day, max(version) FROM {db}.published_days GROUP BY day)
LIMIT 1000000000;

CREATE OR REPLACE VIEW {bi}.click_patterns {on_cluster}
(
    app LowCardinality(String) COMMENT 'App that sent the clicks',
    day Date COMMENT 'Day of the clicks, UTC',
    path String COMMENT 'Page or screen; (other) for the targets that too few people clicked',
    element String COMMENT 'Id of the clicked element; (other) likewise',
    clicks UInt64 COMMENT 'Number of clicks',
    users UInt64 COMMENT 'Distinct people, never fewer than 5'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
COMMENT 'What people click, once recounted. Targets of fewer than 5 people are summed as (other).'
AS SELECT app, day, path, element, clicks, users
FROM {db}.shown_clicks
WHERE (day, version) IN (SELECT day, max(version) FROM {db}.published_days GROUP BY day)
LIMIT 1000000000;

CREATE OR REPLACE VIEW {bi}.products_daily {on_cluster}
(
    app LowCardinality(String) COMMENT 'App that sent the events',
    day Date COMMENT 'Day of the events, UTC',
    event LowCardinality(String) COMMENT 'What was done with the product, e.g. add_to_cart or purchase',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the revenue; empty for events without money',
    product String COMMENT 'Product id; (other) for the products that too few people touched',
    events UInt64 COMMENT 'Number of events',
    users UInt64 COMMENT 'Distinct people, never fewer than 5',
    revenue Decimal(38, 4) COMMENT 'Sum of money in the currency'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
COMMENT 'Revenue and interest by product, once recounted. Products of fewer than 5 people are summed as (other).'
AS SELECT app, day, event, currency, product, events, users, revenue
FROM {db}.shown_products
WHERE (day, version) IN (SELECT day, max(version) FROM {db}.published_days GROUP BY day)
LIMIT 1000000000;

-- Published rows only, see trends_monthly.
CREATE OR REPLACE VIEW {bi}.trends_monthly {on_cluster}
(
    app LowCardinality(String) COMMENT 'App that sent the events',
    month Date COMMENT 'First day of the month, UTC',
    event LowCardinality(String) COMMENT 'Event name, as registered',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the revenue; empty for events without money',
    events UInt64 COMMENT 'Number of events',
    users UInt64 COMMENT 'Distinct people in the month, never fewer than 5',
    sessions UInt64 COMMENT 'Distinct sessions in the month',
    revenue Decimal(38, 4) COMMENT 'Sum of money in the currency'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
COMMENT 'Monthly figures of recounted days. Groups of fewer than 5 people are left out.'
AS SELECT app, month, event, currency, events, users, sessions, revenue
FROM {db}.trends_monthly
WHERE users >= 5 AND (month, version) IN (SELECT month, max(version) FROM {db}.trends_monthly GROUP BY month)
LIMIT 1 BY month, app, event, currency
LIMIT 1000000000;
