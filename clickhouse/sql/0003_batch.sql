-- What the daily ETL publishes. A day is a partition, so that REPLACE PARTITION swaps it in one step; staging has the same
-- shape. The numbers are what dashboards read; the states let months be counted without the raw rows.

CREATE TABLE IF NOT EXISTS {db}.metrics_batch_daily {on_cluster}
(
    app LowCardinality(String),
    day Date,
    event LowCardinality(String),
    currency LowCardinality(String),
    events UInt64,
    users UInt64,
    sessions UInt64,
    revenue Decimal(38, 4),
    users_state AggregateFunction(uniq, FixedString(16)),
    sessions_state AggregateFunction(uniqIf, UInt64, UInt8)
)
ENGINE = {engine:MergeTree}
PARTITION BY day
ORDER BY (app, event, currency);

CREATE TABLE IF NOT EXISTS {db}.metrics_batch_staging {on_cluster} AS {db}.metrics_batch_daily
ENGINE = {engine:MergeTree}
PARTITION BY day
ORDER BY (app, event, currency);

-- Revenue and interest by product; cells of few people are already folded into `(other)` (clickhouse/day-marts.ts).
CREATE TABLE IF NOT EXISTS {db}.products_batch_daily {on_cluster}
(
    app LowCardinality(String),
    day Date,
    event LowCardinality(String),
    currency LowCardinality(String),
    product String,
    events UInt64,
    users UInt64,
    revenue Decimal(38, 4)
)
ENGINE = {engine:MergeTree}
PARTITION BY day
ORDER BY (app, event, currency, product);

CREATE TABLE IF NOT EXISTS {db}.products_batch_staging {on_cluster} AS {db}.products_batch_daily
ENGINE = {engine:MergeTree}
PARTITION BY day
ORDER BY (app, event, currency, product);

-- Click targets, folded likewise.
CREATE TABLE IF NOT EXISTS {db}.clicks_batch_daily {on_cluster}
(
    app LowCardinality(String),
    day Date,
    path String,
    element String,
    clicks UInt64,
    users UInt64
)
ENGINE = {engine:MergeTree}
PARTITION BY day
ORDER BY (app, path, element);

CREATE TABLE IF NOT EXISTS {db}.clicks_batch_staging {on_cluster} AS {db}.clicks_batch_daily
ENGINE = {engine:MergeTree}
PARTITION BY day
ORDER BY (app, path, element);

CREATE TABLE IF NOT EXISTS {db}.sessions_batch_daily {on_cluster}
(
    app LowCardinality(String),
    day Date,
    sessions UInt64,
    users UInt64,
    bounces UInt64,
    pages UInt64,
    seconds Float64
)
ENGINE = {engine:MergeTree}
PARTITION BY day
ORDER BY app;

CREATE TABLE IF NOT EXISTS {db}.sessions_batch_staging {on_cluster} AS {db}.sessions_batch_daily
ENGINE = {engine:MergeTree}
PARTITION BY day
ORDER BY app;

-- What analysts may see, and nothing else: rows of 5 people or more, copied from the tables above when a day is published
-- (clickhouse/publish-days.ts). Partitioned by month: a dashboard over a year opens 13 parts instead of 365, which is most of what
-- it costs. A row counts when its version is the day's newest in published_days; that one insert shows a day in all views at once.
-- Until then the old version is what analysts see: no engine that replaces rows, a merge would take it away too early.
CREATE TABLE IF NOT EXISTS {db}.published_days {on_cluster}
(
    day Date,
    version DateTime64(9, 'UTC')
)
ENGINE = {engine:ReplacingMergeTree(version)}
ORDER BY day;

CREATE TABLE IF NOT EXISTS {db}.shown_daily {on_cluster}
(
    app LowCardinality(String),
    day Date,
    event LowCardinality(String),
    currency LowCardinality(String),
    events UInt64,
    users UInt64,
    sessions UInt64,
    revenue Decimal(38, 4),
    version DateTime64(9, 'UTC')
)
ENGINE = {engine:MergeTree}
PARTITION BY toYYYYMM(day)
ORDER BY (day, version, app, event, currency);

CREATE TABLE IF NOT EXISTS {db}.shown_products {on_cluster}
(
    app LowCardinality(String),
    day Date,
    event LowCardinality(String),
    currency LowCardinality(String),
    product String,
    events UInt64,
    users UInt64,
    revenue Decimal(38, 4),
    version DateTime64(9, 'UTC')
)
ENGINE = {engine:MergeTree}
PARTITION BY toYYYYMM(day)
ORDER BY (day, version, app, event, currency, product);

CREATE TABLE IF NOT EXISTS {db}.shown_clicks {on_cluster}
(
    app LowCardinality(String),
    day Date,
    path String,
    element String,
    clicks UInt64,
    users UInt64,
    version DateTime64(9, 'UTC')
)
ENGINE = {engine:MergeTree}
PARTITION BY toYYYYMM(day)
ORDER BY (day, version, app, path, element);

CREATE TABLE IF NOT EXISTS {db}.shown_sessions {on_cluster}
(
    app LowCardinality(String),
    day Date,
    sessions UInt64,
    users UInt64,
    bounces UInt64,
    pages UInt64,
    seconds Float64,
    version DateTime64(9, 'UTC')
)
ENGINE = {engine:MergeTree}
PARTITION BY toYYYYMM(day)
ORDER BY (day, version, app);

-- Months, as analysts may see them, written anew after each swap of one of their days (clickhouse/publish-month.ts). Of a month the
-- rows of the newest version count: written by the statement that started last, it has seen every swap before it.
CREATE TABLE IF NOT EXISTS {db}.trends_monthly {on_cluster}
(
    app LowCardinality(String),
    month Date,
    event LowCardinality(String),
    currency LowCardinality(String),
    events UInt64,
    users UInt64,
    sessions UInt64,
    revenue Decimal(38, 4),
    version DateTime64(9, 'UTC')
)
ENGINE = {engine:ReplacingMergeTree(version)}
ORDER BY (month, app, event, currency);
