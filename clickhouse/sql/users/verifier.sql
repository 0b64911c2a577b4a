-- The verifier's own user on a real server; in development the server has one like it. Run at each migration, so that a new
-- password takes hold; left out where EBB_VERIFIER_CLICKHOUSE_URL names no password or the server's users are managed elsewhere.
-- It reads, and that is all: whoever certifies must not be able to erase, nor to hide what is left.
-- readonly = 2 and not 1: s3() counts as a temporary table, which 1 refuses, and looks at rows as they lie on disk set
-- apply_deleted_mask. But 2 lets INSERT INTO FUNCTION s3() pass. Hence READ on S3 only (a server honours it by
-- access_control_improvements.enable_read_write_grants; without that it grants both), no file of the archive can be written
-- over by it, and the quota ends a write at its first block.

CREATE SETTINGS PROFILE IF NOT EXISTS ebb_verifier {on_cluster};

ALTER SETTINGS PROFILE ebb_verifier {on_cluster} SETTINGS
    readonly = 2,
    max_execution_time = 600,
    s3_truncate_on_insert = 0 CONST,
    s3_create_new_file_on_insert = 0 CONST;

CREATE USER IF NOT EXISTS ebb_verifier {on_cluster} IDENTIFIED WITH sha256_hash BY '{password_sha256}' SETTINGS PROFILE 'ebb_verifier';

ALTER USER ebb_verifier {on_cluster} IDENTIFIED WITH sha256_hash BY '{password_sha256}' SETTINGS PROFILE 'ebb_verifier';

-- One statement puts these rights in the place of whatever it was given: between a REVOKE and a GRANT it would see fewer tables
-- than there are. The archive's files by the collection that holds their place and keys; s3() asks for CREATE TEMPORARY TABLE.
GRANT {on_cluster} SELECT ON {db}.*, SELECT ON system.columns, SELECT ON system.detached_parts, SELECT ON system.disks, SELECT ON system.mutations, SELECT ON system.parts, SELECT ON system.tables, READ ON S3, CREATE TEMPORARY TABLE ON *.*, NAMED COLLECTION ON {archive} TO ebb_verifier WITH REPLACE OPTION;

-- And all roles, with what they bring.
REVOKE {on_cluster} ALL FROM ebb_verifier;

CREATE QUOTA IF NOT EXISTS ebb_verifier {on_cluster} FOR INTERVAL 1 minute MAX written_bytes = 1 TO ebb_verifier;
