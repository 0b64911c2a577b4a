-- One row an event, as the gate encoded it (columns and order: schemas/event-row.ts), and where it came from in Kafka.
--
-- ORDER BY (app, day, subject, ts): dashboards never read this table, they read the rollups below it. What does read it is the
-- daily recount (a day of an app is one range of the key), erasure and export (the rows of one subject on one day lie side by
-- side, so a rewrite touches as many granules as the person had days, not events), and sessions or funnels (already in order).
-- It also compresses best: subject, session and device repeat from row to row (38 bytes a row against 47 in the order of time).
--
-- The bloom filter finds a subject without its days: 10 million rows are 1,221 granules, all but those days' are skipped. It is
-- built when parts merge, not on insert (materialize_skip_indexes_on_insert = 0 in insert-events.ts): a fresh part is small.
--
-- partition and cut_end come out of the deduplication token (its last two fields), the one thing that is said once for a whole
-- insert whose body nobody parses. Rows of other writers have 0.
--
-- The window counts blocks, not time: 20 cuts/s (all partitions) x 2 months in a cut (around midnight of the 1st) x 50 s that a
-- paused writer may sleep and still be let in x 10 for safety = 20,000. Every view's target needs the same one.
CREATE TABLE IF NOT EXISTS {db}.events_raw {on_cluster}
(
    app LowCardinality(String),
    event LowCardinality(String),
    ts DateTime64(3, 'UTC'),
    received_at DateTime64(3, 'UTC'),
    subject FixedString(16),
    session UInt64,
    device UInt64,
    event_id UInt64,
    order_id UInt64,
    path String,
    element String,
    product String,
    revenue Decimal(18, 4),
    currency LowCardinality(String),
    props String CODEC(ZSTD(1)),
    partition UInt16 DEFAULT toUInt16OrZero(splitByChar('/', getSetting('insert_deduplication_token'))[-2]),
    cut_end UInt64 DEFAULT toUInt64OrZero(splitByChar('/', getSetting('insert_deduplication_token'))[-1]),
    INDEX subject_bloom subject TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {engine:MergeTree}
PARTITION BY toYYYYMM(ts)
ORDER BY (app, toDate(ts), subject, ts)
SETTINGS {deduplicate:20000}, {merges};

-- Client batches that ingest has counted. Looked up by a few hashes at a time: small granules, one seek each.
-- A retry comes within 24 hours; two days are kept, dropped a day at a time.
CREATE TABLE IF NOT EXISTS {db}.ingest_seen {on_cluster}
(
    partition UInt16,
    hash FixedString(16),
    offset UInt64,
    at DateTime64(3, 'UTC')
)
ENGINE = {engine:MergeTree}
PARTITION BY toDate(at)
ORDER BY (partition, hash)
TTL toDateTime(at) + INTERVAL 48 HOUR
SETTINGS index_granularity = 1024, ttl_only_drop_parts = 1, {deduplicate:20000}, {merges};
