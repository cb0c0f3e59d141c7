-- Version 1. Moments are milliseconds since 1970 with the highest bit turned over, so that a bigint orders all of them.
CREATE TABLE {schema}.records (
  partition text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  revision bigint NOT NULL,
  expires_at bigint,
  value bytea NOT NULL,
  PRIMARY KEY (partition, name)
);
-- Sealed values cannot be compressed.
ALTER TABLE {schema}.records ALTER COLUMN value SET STORAGE EXTERNAL;
CREATE INDEX records_expires_at ON {schema}.records (expires_at) WHERE expires_at IS NOT NULL;

-- What became of an attempt to commit: it happened, or it is fenced off. By the server's own clock, for a few minutes.
CREATE TABLE {schema}.attempts (
  id bigint PRIMARY KEY,
  happened boolean NOT NULL,
  made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX attempts_made_at ON {schema}.attempts (made_at);

-- One commit. state 0: it happened; 1: refused, because of that name; 2: fenced off before.
-- A precondition about a record that is not there has no row to lock, so commits of one partition go one after the other;
-- and each statement in here sees what the one before has committed, because READ COMMITTED takes a snapshot for each.
CREATE FUNCTION {schema}.commit_1(
  in_partition text, in_attempt bigint, in_revision bigint, in_now bigint,
  need_names text[], need_revisions bigint[],
  put_names text[], put_ends bigint[], put_values bytea[],
  delete_names text[],
  OUT state integer, OUT refused text
) LANGUAGE plpgsql AS $body$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(in_partition, 7018));
  SELECT CASE WHEN a.happened THEN 0 ELSE 2 END INTO state FROM {schema}.attempts a WHERE a.id = in_attempt;
  IF FOUND THEN
    RETURN;
  END IF;
  SELECT n.name INTO refused FROM unnest(need_names, need_revisions) AS n (name, revision)
    WHERE (
      SELECT r.revision FROM {schema}.records r
      WHERE r.partition = in_partition AND r.name = n.name AND (r.expires_at IS NULL OR r.expires_at > in_now)
    ) IS DISTINCT FROM n.revision
    LIMIT 1;
  IF FOUND THEN
    state := 1;
    RETURN;
  END IF;
  IF cardinality(delete_names) > 0 THEN
    DELETE FROM {schema}.records r WHERE r.partition = in_partition AND r.name = ANY (delete_names);
  END IF;
  INSERT INTO {schema}.records AS r (partition, name, revision, expires_at, value)
    SELECT in_partition, p.name, in_revision, p.ends, p.value
    FROM unnest(put_names, put_ends, put_values) AS p (name, ends, value)
    ON CONFLICT (partition, name) DO UPDATE
    SET revision = excluded.revision, expires_at = excluded.expires_at, value = excluded.value;
  INSERT INTO {schema}.attempts (id, happened) VALUES (in_attempt, true);
  state := 0;
END
$body$;

-- Whether an attempt happened. If it did not, it never will. Waits for one that is under way.
CREATE FUNCTION {schema}.settle_1(in_partition text, in_attempt bigint) RETURNS boolean LANGUAGE plpgsql AS $body$
DECLARE
  answer boolean;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(in_partition, 7018));
  SELECT a.happened INTO answer FROM {schema}.attempts a WHERE a.id = in_attempt;
  IF FOUND THEN
    RETURN answer;
  END IF;
  INSERT INTO {schema}.attempts (id, happened) VALUES (in_attempt, false);
  RETURN false;
END
$body$;
