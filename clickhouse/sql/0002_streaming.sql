-- Live metrics. Each view's target carries the deduplication window of events_raw: without it a repeated cut is counted again.
-- uniq is deterministic (its state does not depend on the order of rows), so stream and batch agree to the last unit.

CREATE TABLE IF NOT EXISTS {db}.metrics_minute {on_cluster}
(
    app LowCardinality(String),
    minute DateTime('UTC'),
    event LowCardinality(String),
    currency LowCardinality(String),
    events SimpleAggregateFunction(sum, UInt64),
    users AggregateFunction(uniq, FixedString(16)),
    sessions AggregateFunction(uniqIf, UInt64, UInt8),
    revenue SimpleAggregateFunction(sum, Decimal(38, 4))
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(minute)
ORDER BY (app, minute, event, currency)
TTL minute + INTERVAL 8 DAY
SETTINGS {deduplicate:20000}, {merges};

CREATE MATERIALIZED VIEW IF NOT EXISTS {db}.metrics_minute_view {on_cluster} TO {db}.metrics_minute AS
SELECT
    app,
    toStartOfMinute(ts) AS minute,
    event,
    currency,
    count() AS events,
    uniqState(subject) AS users,
    uniqIfState(session, session != 0) AS sessions,
    sum(toDecimal128(revenue, 4)) AS revenue
FROM {db}.events_raw
GROUP BY app, minute, event, currency;

CREATE TABLE IF NOT EXISTS {db}.metrics_streaming_daily {on_cluster}
(
    app LowCardinality(String),
    day Date,
    event LowCardinality(String),
    currency LowCardinality(String),
    events SimpleAggregateFunction(sum, UInt64),
    users AggregateFunction(uniq, FixedString(16)),
    sessions AggregateFunction(uniqIf, UInt64, UInt8),
    revenue SimpleAggregateFunction(sum, Decimal(38, 4))
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(day)
ORDER BY (app, day, event, currency)
SETTINGS {deduplicate:20000}, {merges};

-- Fed from the block that the view above has just made: a few rows instead of the whole cut.
CREATE MATERIALIZED VIEW IF NOT EXISTS {db}.metrics_streaming_daily_view {on_cluster} TO {db}.metrics_streaming_daily AS
SELECT
    app,
    toDate(minute) AS day,
    event,
    currency,
    sum(events) AS events,
    uniqMergeState(users) AS users,
    uniqIfMergeState(sessions) AS sessions,
    sum(revenue) AS revenue
FROM {db}.metrics_minute
GROUP BY app, day, event, currency;

-- One row a session and day. The subject is in the key, so its sessions are found and erased as its events are.
CREATE TABLE IF NOT EXISTS {db}.sessions {on_cluster}
(
    app LowCardinality(String),
    day Date,
    subject FixedString(16),
    session UInt64,
    started SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    ended SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    events SimpleAggregateFunction(sum, UInt64),
    pages SimpleAggregateFunction(sum, UInt64),
    revenue SimpleAggregateFunction(sum, Decimal(38, 4))
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(day)
ORDER BY (app, day, subject, session)
SETTINGS {deduplicate:20000}, {merges};

CREATE MATERIALIZED VIEW IF NOT EXISTS {db}.sessions_view {on_cluster} TO {db}.sessions AS
SELECT
    app,
    toDate(ts) AS day,
    subject,
    session,
    min(ts) AS started,
    max(ts) AS ended,
    count() AS events,
    countIf(event IN ('page_view', 'screen')) AS pages,
    sum(toDecimal128(revenue, 4)) AS revenue
FROM {db}.events_raw
WHERE session != 0
GROUP BY app, day, subject, session;

CREATE TABLE IF NOT EXISTS {db}.click_patterns {on_cluster}
(
    app LowCardinality(String),
    day Date,
    path String,
    element String,
    clicks SimpleAggregateFunction(sum, UInt64),
    users AggregateFunction(uniq, FixedString(16))
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(day)
ORDER BY (app, day, path, element)
SETTINGS {deduplicate:20000}, {merges};

CREATE MATERIALIZED VIEW IF NOT EXISTS {db}.click_patterns_view {on_cluster} TO {db}.click_patterns AS
SELECT
    app,
    toDate(ts) AS day,
    path,
    element,
    count() AS clicks,
    uniqState(subject) AS users
FROM {db}.events_raw
WHERE event = 'button_click'
GROUP BY app, day, path, element;
