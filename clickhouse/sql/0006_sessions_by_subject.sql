-- Erasure counts and deletes a person's sessions without knowing the days: the same filter as on events_raw, and like it built
-- when parts merge, not on insert.
ALTER TABLE {db}.sessions {on_cluster} ADD INDEX IF NOT EXISTS subject_bloom subject TYPE bloom_filter(0.01) GRANULARITY 1;
