-- What a shared erasure needs while it runs; each table has a partition a batch, which is dropped when the batch is done with it.

-- Who is erased. Deletions name the batch and read the tokens from here, so that no text that a server keeps (mutation_*.txt,
-- query_log) holds one. On every replica, since each runs the deletion by itself.
CREATE TABLE IF NOT EXISTS {db}.erase_tokens {on_cluster}
(
    batch String,
    token FixedString(16)
)
ENGINE = {engine:MergeTree}
PARTITION BY batch
ORDER BY token;

-- Days of apps that the rows of these people fell on, kept from before the deletion until their aggregates are counted again.
CREATE TABLE IF NOT EXISTS {db}.erase_days {on_cluster}
(
    batch String,
    app LowCardinality(String),
    day Date
)
ENGINE = {engine:MergeTree}
PARTITION BY batch
ORDER BY (app, day);

-- Parts that held rows of these people, for the receipt: after the deletion nothing else remembers their names.
CREATE TABLE IF NOT EXISTS {db}.erase_parts {on_cluster}
(
    batch String,
    table String,
    part String
)
ENGINE = {engine:MergeTree}
PARTITION BY batch
ORDER BY (table, part);
