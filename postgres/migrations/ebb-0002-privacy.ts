import type { NamedMigration } from './named-migration.ts'

/** The vault, requests of people, and what stays as proof. No identifier stands here in the clear. */
export const ebbPrivacy: NamedMigration = {
  name: '0002_privacy',
  async up(knex) {
    await knex.raw(`
      -- Personal fields, each sealed under the subject's own seal key: with the secret they are gone.
      CREATE TABLE users_pii (
        subject_id uuid        NOT NULL,
        field      text        NOT NULL,
        sealed     bytea       NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (subject_id, field)
      );
      -- Traits that an app declared without sensitivity (plan, locale).
      CREATE TABLE users_public (
        subject_id uuid        PRIMARY KEY,
        app        text        NOT NULL,
        traits     jsonb       NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now()
      );

      CREATE TABLE privacy_requests (
        request_id   uuid        PRIMARY KEY,
        app          text        NOT NULL,
        kind         text        NOT NULL CHECK (kind IN ('erasure')),
        state        text        NOT NULL,
        proof        text        NOT NULL,
        requested_by text        NOT NULL,
        -- Keyed hash of each handle, so that a duplicate joins the running request; emptied when it ends.
        blinds       bytea[]     NOT NULL,
        received_at  timestamptz NOT NULL DEFAULT now(),
        grace_until  timestamptz NOT NULL,
        due_at       timestamptz NOT NULL,
        blocked_at   timestamptz,
        certified_at timestamptz,
        closed_at    timestamptz,
        -- Store that the saga waits for, and why the request was refused (an article of law).
        stuck_store  text,
        article      text,
        -- SealedErasure (schemas/erasure.ts) under the request key; NULL once closed.
        sealed       bytea,
        -- The same of the verifier, which works out its own closure.
        observed     bytea,
        -- Offsets of the block, times, horizons: no identifiers.
        progress     jsonb       NOT NULL DEFAULT '{}'
      );
      CREATE INDEX privacy_requests_blinds ON privacy_requests USING gin (blinds);
      CREATE INDEX privacy_requests_received ON privacy_requests (app, received_at);

      -- Subjects that must not get new links or new rows, by the request that wants it.
      CREATE TABLE subject_blocks (
        subject_id uuid NOT NULL,
        request_id uuid NOT NULL REFERENCES privacy_requests (request_id),
        PRIMARY KEY (subject_id, request_id)
      );

      -- Requests that wait for the next shared physical deletion, or for the destruction of their secrets.
      CREATE TABLE erasure_queue (
        request_id  uuid        NOT NULL REFERENCES privacy_requests (request_id),
        stage       text        NOT NULL CHECK (stage IN ('erase', 'destroy')),
        batch_id    uuid,
        enqueued_at timestamptz NOT NULL DEFAULT now(),
        done_at     timestamptz,
        PRIMARY KEY (request_id, stage)
      );
      CREATE INDEX erasure_queue_batch ON erasure_queue (batch_id);

      CREATE TABLE erasure_receipts (
        request_id uuid        NOT NULL REFERENCES privacy_requests (request_id),
        store      text        NOT NULL,
        batch_id   uuid        NOT NULL,
        outcome    text        NOT NULL,
        method     text        NOT NULL,
        at         timestamptz NOT NULL,
        ids        text[]      NOT NULL,
        evidence   text        NOT NULL,
        PRIMARY KEY (request_id, store)
      );

      -- (app, day) whose aggregates an erasure touched; published again at the next daily swap.
      CREATE TABLE dirty_days (
        app      text        NOT NULL,
        day      date        NOT NULL,
        since    timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (app, day)
      );

      CREATE TABLE legal_holds (
        hold_id     uuid        PRIMARY KEY,
        request_id  uuid        NOT NULL REFERENCES privacy_requests (request_id),
        fields      text[]      NOT NULL,
        article     text        NOT NULL,
        until       timestamptz NOT NULL,
        placed_by   text        NOT NULL,
        placed_at   timestamptz NOT NULL DEFAULT now(),
        released_at timestamptz,
        -- The held fields under the hold's own key; NULL once released.
        sealed      bytea
      );

      CREATE TABLE certificates (
        digest     text        PRIMARY KEY,
        request_id uuid,
        kind       text        NOT NULL,
        file       bytea       NOT NULL,
        proof      text        NOT NULL,
        log_index  bigint      NOT NULL UNIQUE,
        issued_at  timestamptz NOT NULL,
        superseded boolean     NOT NULL DEFAULT false
      );
      CREATE INDEX certificates_request ON certificates (request_id);

      -- Copies that die of age, and what each may hold; closed waits for them.
      CREATE TABLE backups (
        backup_id  uuid        PRIMARY KEY,
        kind       text        NOT NULL CHECK (kind IN ('clickhouse', 'postgres', 'keyring', 'wal')),
        location   text        NOT NULL,
        taken_at   timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        deleted_at timestamptz,
        detail     jsonb       NOT NULL DEFAULT '{}'
      );

      -- Append-only: a row is never changed, and each names the hash of the one before it.
      CREATE TABLE audit_log (
        seq       bigint      PRIMARY KEY,
        at        timestamptz NOT NULL,
        actor     text        NOT NULL,
        action    text        NOT NULL,
        object    text        NOT NULL,
        outcome   text        NOT NULL,
        previous  bytea       NOT NULL,
        hash      bytea       NOT NULL UNIQUE
      );
      CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
      CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

      CREATE TABLE api_tokens (
        token_id     uuid        PRIMARY KEY,
        token_sha256 bytea       NOT NULL UNIQUE CHECK (octet_length(token_sha256) = 32),
        name         text        NOT NULL,
        role         text        NOT NULL CHECK (role IN ('compliance', 'operator', 'analyst', 'app')),
        -- Apps that the token may act for; NULL is all of them.
        apps         text[],
        created_at   timestamptz NOT NULL DEFAULT now(),
        expires_at   timestamptz,
        revoked_at   timestamptz
      );
    `)
  },
  async down(knex) {
    await knex.raw(`
      DROP TABLE api_tokens, audit_log, backups, certificates, legal_holds, dirty_days, erasure_receipts, erasure_queue,
        subject_blocks, privacy_requests, users_public, users_pii;
      DROP FUNCTION refuse_audit_change();
    `)
  },
}
