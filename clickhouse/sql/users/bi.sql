-- The analysts' user on a real server; in development the server has one like it. Run at each migration, so that a new password
-- or limit takes hold; left out where no password is configured or the server's users are managed elsewhere.
-- readonly = 1 allows SELECT and no settings but those that a constraint marks changeable: BI tools set formats and times.
-- MIN 1: 0 means no limit, and is below every MAX.

CREATE SETTINGS PROFILE IF NOT EXISTS ebb_bi {on_cluster};

ALTER SETTINGS PROFILE ebb_bi {on_cluster} SETTINGS
    readonly = 1,
    max_execution_time = 30 CHANGEABLE_IN_READONLY MIN 1 MAX 30,
    max_memory_usage = 2000000000,
    max_threads = 4,
    max_rows_to_read = 500000000,
    max_result_rows = 1000000 CHANGEABLE_IN_READONLY MIN 1 MAX 1000000,
    max_result_bytes = 536870912,
    max_concurrent_queries_for_user = 16,
    max_query_size = 262144,
    session_timezone CHANGEABLE_IN_READONLY,
    date_time_output_format CHANGEABLE_IN_READONLY,
    output_format_json_quote_64bit_integers CHANGEABLE_IN_READONLY,
    send_progress_in_http_headers CHANGEABLE_IN_READONLY,
    wait_end_of_query CHANGEABLE_IN_READONLY;

CREATE ROLE IF NOT EXISTS ebb_analyst {on_cluster} SETTINGS PROFILE 'ebb_bi';

GRANT {on_cluster} SELECT ON {bi}.* TO ebb_analyst;

CREATE USER IF NOT EXISTS bi {on_cluster} IDENTIFIED WITH sha256_hash BY '{password_sha256}' DEFAULT ROLE ebb_analyst SETTINGS PROFILE 'ebb_bi';

ALTER USER bi {on_cluster} IDENTIFIED WITH sha256_hash BY '{password_sha256}';

GRANT {on_cluster} ebb_analyst TO bi;

ALTER USER bi {on_cluster} DEFAULT ROLE ebb_analyst SETTINGS PROFILE 'ebb_bi';

CREATE QUOTA OR REPLACE ebb_bi {on_cluster} KEYED BY user_name FOR INTERVAL 1 minute MAX queries = 3000, FOR INTERVAL 1 hour MAX execution_time = 1800, read_rows = 50000000000 TO bi;
