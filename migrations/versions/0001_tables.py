"""All tables: model versions, jobs, examples, shards, predictions, row errors and training runs.

There is no downgrade: it would delete every row.
"""

from alembic import op

revision = "0001"
down_revision = None

# `arrivals` numbers jobs and runs together. `fencing_tokens` gives every claim a higher number than the one before.
TABLES = """
CREATE SEQUENCE arrivals AS bigint;
CREATE SEQUENCE fencing_tokens AS bigint;

CREATE TABLE runs (
    id          text PRIMARY KEY,
    seq         bigint NOT NULL DEFAULT nextval('arrivals') UNIQUE,
    name        text NOT NULL,
    config      jsonb NOT NULL,
    folder      text NOT NULL,
    state       text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    token       bigint NOT NULL DEFAULT 0,
    attempt     integer NOT NULL DEFAULT 0,
    furthest    integer NOT NULL DEFAULT 0,
    worker      text,
    lease_until timestamptz,
    not_before  timestamptz NOT NULL DEFAULT '-infinity',
    progress    jsonb NOT NULL DEFAULT '{}',
    error       text,
    model       text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    started_at  timestamptz,
    finished_at timestamptz,
    CONSTRAINT runs_leased CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CONSTRAINT runs_ended CHECK ((state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CONSTRAINT runs_failed CHECK (state <> 'failed' OR error IS NOT NULL)
);

CREATE TABLE model_versions (
    model      text PRIMARY KEY,
    name       text NOT NULL,
    number     integer NOT NULL CHECK (number > 0),
    labels     text[] NOT NULL CHECK (cardinality(labels) = 30),
    digests    jsonb NOT NULL,
    scores     jsonb NOT NULL DEFAULT '[]',
    current    boolean NOT NULL DEFAULT false,
    run_id     text REFERENCES runs (id),
    note       text,
    trained_on jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (name, number),
    CONSTRAINT model_versions_model CHECK (model = name || '@' || number)
);
CREATE UNIQUE INDEX model_versions_one_current ON model_versions (current) WHERE current;

CREATE TABLE jobs (
    id              text PRIMARY KEY,
    seq             bigint NOT NULL DEFAULT nextval('arrivals') UNIQUE,
    idempotency_key text NOT NULL UNIQUE,
    file_name       text NOT NULL,
    file_sha256     text NOT NULL,
    model           text NOT NULL REFERENCES model_versions (model),
    total           integer NOT NULL CHECK (total > 0),
    rejected        integer NOT NULL CHECK (rejected >= 0),
    priority        smallint NOT NULL DEFAULT 0,
    exact           boolean NOT NULL DEFAULT false,
    fresh           boolean NOT NULL DEFAULT false,
    max_failed      integer CHECK (max_failed >= 0),
    error           text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    served_at       timestamptz,
    paused_at       timestamptz,
    cancelled_at    timestamptz,
    finished_at     timestamptz,
    purged_at       timestamptz,
    CONSTRAINT jobs_ended CHECK (
        finished_at IS NOT NULL OR (cancelled_at IS NULL AND error IS NULL AND purged_at IS NULL)
    )
);
CREATE INDEX jobs_open ON jobs (seq) WHERE finished_at IS NULL;  -- without served_at, which each claim changes

CREATE TABLE examples (
    job_id        text NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    row_no        integer NOT NULL CHECK (row_no >= 0),
    id            text NOT NULL,
    sentence      text NOT NULL,
    subject_text  text NOT NULL,
    subject_start integer NOT NULL,
    subject_end   integer NOT NULL,
    subject_type  text NOT NULL,
    object_text   text NOT NULL,
    object_start  integer NOT NULL,
    object_end    integer NOT NULL,
    object_type   text NOT NULL,
    label         text,
    source        text,
    PRIMARY KEY (job_id, row_no)
);

CREATE TABLE shards (
    job_id         text NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    first_row      integer NOT NULL CHECK (first_row >= 0),
    end_row        integer NOT NULL,
    state          text NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'running', 'done', 'failed', 'cancelled')),
    attempt        integer NOT NULL DEFAULT 0,
    crashes        integer NOT NULL DEFAULT 0,
    token          bigint NOT NULL DEFAULT 0,
    worker         text,
    lease_until    timestamptz,
    not_before     timestamptz NOT NULL DEFAULT '-infinity',
    started_at     timestamptz,
    finished_at    timestamptz,
    truncated_rows integer NOT NULL DEFAULT 0,
    reused         integer NOT NULL DEFAULT 0,
    error          text,
    PRIMARY KEY (job_id, first_row),
    CONSTRAINT shards_rows CHECK (end_row > first_row),
    CONSTRAINT shards_leased CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CONSTRAINT shards_ended CHECK ((state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CONSTRAINT shards_failed CHECK (state <> 'failed' OR error IS NOT NULL)
);
-- Workers ask for these repeatedly: no query of theirs reads the shards that are done.
CREATE INDEX shards_pending ON shards (job_id, not_before, first_row) WHERE state = 'pending';
CREATE INDEX shards_running ON shards (job_id, first_row) WHERE state = 'running';
CREATE INDEX shards_crashed ON shards (job_id, first_row) WHERE state = 'pending' AND crashes > 0;

CREATE TABLE predictions (
    job_id        text NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    row_no        integer NOT NULL,
    label         text NOT NULL,
    probabilities real[] NOT NULL CHECK (cardinality(probabilities) = 30),
    truncated     boolean NOT NULL,
    cache_key     uuid,
    PRIMARY KEY (job_id, row_no)
);
CREATE INDEX predictions_cache_key ON predictions (cache_key) WHERE cache_key IS NOT NULL;

CREATE TABLE row_errors (
    job_id  text NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    row_no  integer NOT NULL,
    code    text NOT NULL,
    message text NOT NULL,
    PRIMARY KEY (job_id, row_no)
);
"""

# A row has a prediction or a row error, never both. The check is one index probe for each new row, whatever statistics
# Postgres has of the other table. It needs no lock of its own: a worker that writes a result holds the lock on the
# row's shard until the transaction ends, so no two transactions write results of one row at the same moment. The
# function keeps the search path under which the tables were made, because a restored dump fills them under none.
ONE_RESULT = """
CREATE FUNCTION refuse_second_result_of_{table}() RETURNS trigger LANGUAGE plpgsql
    SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    twice record;
BEGIN
    SELECT added.job_id, added.row_no INTO twice
    FROM added CROSS JOIN LATERAL (
        SELECT FROM {other} WHERE job_id = added.job_id AND row_no = added.row_no OFFSET 0
    ) AS present
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'row % of % would have a prediction and a row error', twice.row_no, twice.job_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER one_result AFTER INSERT ON {table} REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_second_result_of_{table}();
"""


def upgrade() -> None:
    """Create the tables, their indexes and their triggers."""
    op.execute(TABLES)
    op.execute(ONE_RESULT.format(table="predictions", other="row_errors"))
    op.execute(ONE_RESULT.format(table="row_errors", other="predictions"))
