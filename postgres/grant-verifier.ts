/** The verifier's own role, on both databases. */
export const VERIFIER_ROLE = 'ebb_verifier'

/** Made without a password: where the server asks for one, an operator gives it. A race with another database's migration is nobody's fault. */
const MAKE = `
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${VERIFIER_ROLE}') THEN
    BEGIN
      CREATE ROLE ${VERIFIER_ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
    EXCEPTION
      WHEN duplicate_object OR unique_violation THEN NULL;
      WHEN insufficient_privilege THEN RETURN;
    END;
  END IF;`

/** Tables that come later too, by whatever migration: what the verifier could not read, it could not look into. */
const READ = `
  REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ${VERIFIER_ROLE};
  GRANT USAGE ON SCHEMA public TO ${VERIFIER_ROLE};
  GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${VERIFIER_ROLE};
  ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO ${VERIFIER_ROLE};`

/** Names of the server's own log segments. */
const LIST_LOG = `
  BEGIN
    GRANT EXECUTE ON FUNCTION pg_ls_waldir() TO ${VERIFIER_ROLE};
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END;`

const block = (body: string) => `DO $grant$ BEGIN ${body} END $grant$`

/**
 * Makes the verifier's role where the migrating role may, and sets what it may do: read everything, add to the table of
 * statements, and write the two columns that are its own. Run after every migration, so that a role which an operator has
 * made later gets the same. Without the right to make roles, and without the role, nothing happens.
 */
export const GRANT_VERIFIER = {
  ebb: block(`${MAKE}${READ}
  GRANT INSERT, UPDATE (superseded) ON certificates TO ${VERIFIER_ROLE};
  GRANT UPDATE (observed) ON privacy_requests TO ${VERIFIER_ROLE};${LIST_LOG}`),
  keyring: block(`${MAKE}${READ}`),
}
