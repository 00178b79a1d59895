"""The main job: model versions, jobs, examples, shards, predictions, row errors, training runs."""

from alembic import op

revision = "0001"
down_revision = None

UPGRADE = """
CREATE SEQUENCE fencing_tokens AS bigint;

CREATE TABLE runs (
    id          text PRIMARY KEY,
    seq         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    name        text NOT NULL,
    config      jsonb NOT NULL,
    folder      text NOT NULL,
    state       text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
    token       bigint NOT NULL DEFAULT 0,
    attempt     integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    progress    jsonb NOT NULL DEFAULT '{}',
    error       text,
    model       text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    started_at  timestamptz,
    finished_at timestamptz,
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('done', 'failed')) = (finished_at IS NOT NULL)),
    CHECK ((state = 'failed') = (error IS NOT NULL))
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
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (name, number),
    CHECK (model = name || '@' || number)
);
CREATE UNIQUE INDEX model_versions_one_current ON model_versions (current) WHERE current;

CREATE TABLE jobs (
    id              text PRIMARY KEY,
    seq             bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    idempotency_key text NOT NULL UNIQUE,
    file_name       text NOT NULL,
    file_sha256     text NOT NULL,
    model           text NOT NULL REFERENCES model_versions (model),
    total           integer NOT NULL CHECK (total > 0),
    rejected        integer NOT NULL CHECK (rejected >= 0),
    priority        smallint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    served_at       timestamptz,
    cancelled_at    timestamptz,
    finished_at     timestamptz
);
CREATE INDEX jobs_open ON jobs (priority DESC, served_at NULLS FIRST, seq) WHERE finished_at IS NULL;

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
    job_id      text NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    first_row   integer NOT NULL CHECK (first_row >= 0),
    end_row     integer NOT NULL,
    state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'done', 'failed')),
    attempt     integer NOT NULL DEFAULT 0,
    crashes     integer NOT NULL DEFAULT 0,
    token       bigint NOT NULL DEFAULT 0,
    worker      text,
    lease_until timestamptz,
    not_before  timestamptz NOT NULL DEFAULT '-infinity',
    started_at  timestamptz,
    finished_at timestamptz,
    truncated_rows integer NOT NULL DEFAULT 0,
    error       text,
    PRIMARY KEY (job_id, first_row),
    CHECK (end_row > first_row),
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('done', 'failed')) = (finished_at IS NOT NULL)),
    CHECK (state <> 'failed' OR error IS NOT NULL)
);
CREATE INDEX shards_pending ON shards (job_id, first_row) WHERE state = 'pending';
CREATE INDEX shards_leased ON shards (lease_until) WHERE state = 'running';

CREATE TABLE predictions (
    job_id        text NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    row_no        integer NOT NULL,
    label         text NOT NULL,
    probabilities real[] NOT NULL CHECK (cardinality(probabilities) = 30),
    truncated    boolean NOT NULL,
    PRIMARY KEY (job_id, row_no)
);

CREATE TABLE row_errors (
    job_id  text NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    row_no  integer NOT NULL,
    code    text NOT NULL,
    message text NOT NULL,
    PRIMARY KEY (job_id, row_no)
);
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(
        "DROP TABLE row_errors, predictions, shards, examples, jobs, model_versions, runs;DROP SEQUENCE fencing_tokens"
    )
