//! What is said to the server, for one schema.

/// Every one is prepared once a connection, and sees one moment.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) get: String,
    pub(super) commit: String,
    pub(super) settle: String,
    pub(super) scan: String,
    pub(super) partitions: String,
    pub(super) sweep: String,
    pub(super) sweep_attempts: String,
}

impl Statements {
    pub(super) fn new(schema: &str) -> Self {
        let of = |text: &str| text.replace("{schema}", &format!("\"{schema}\""));
        Self {
            get: of("SELECT name, revision, expires_at, value FROM {schema}.records \
                WHERE partition = $1 AND name = ANY ($2) AND (expires_at IS NULL OR expires_at > $3)"),
            commit: of(
                "SELECT state, refused FROM {schema}.commit_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            ),
            settle: of("SELECT {schema}.settle_1($1, $2)"),
            scan: of("SELECT name, revision, expires_at, value FROM {schema}.records \
                WHERE partition = $1 AND name >= $2 AND name < $3 AND name > $4 \
                AND (expires_at IS NULL OR expires_at > $5) ORDER BY name LIMIT $6"),
            // From one partition to the next along the index, whatever number of records each has.
            partitions: of("WITH RECURSIVE walk AS ( \
                (SELECT partition FROM {schema}.records WHERE partition > $1 ORDER BY partition LIMIT 1) \
                UNION ALL \
                SELECT (SELECT r.partition FROM {schema}.records r WHERE r.partition > walk.partition \
                    ORDER BY r.partition LIMIT 1) \
                FROM walk WHERE walk.partition IS NOT NULL) \
                SELECT partition FROM walk WHERE partition IS NOT NULL LIMIT $2"),
            // What somebody else is just writing or deleting is left to the next time.
            sweep: of("WITH dead AS (SELECT partition, name FROM {schema}.records WHERE expires_at <= $1 \
                ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED), \
                gone AS (DELETE FROM {schema}.records r USING dead \
                WHERE r.partition = dead.partition AND r.name = dead.name AND r.expires_at <= $1 RETURNING 1) \
                SELECT count(*) FROM gone"),
            // Longer than anybody asks about an attempt, and longer than a fenced one may lie in a buffer.
            sweep_attempts: of("WITH old AS (SELECT id FROM {schema}.attempts \
                WHERE made_at < clock_timestamp() - interval '2 minutes' \
                AND (happened OR made_at < clock_timestamp() - interval '1 hour') \
                ORDER BY made_at LIMIT $1 FOR UPDATE SKIP LOCKED), \
                gone AS (DELETE FROM {schema}.attempts a USING old WHERE a.id = old.id RETURNING 1) \
                SELECT count(*) FROM gone"),
        }
    }
}
