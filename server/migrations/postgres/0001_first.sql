-- Onscene on PostgreSQL. The same tables, columns and order as ../sqlite/0001_first.sql.
-- Moments are Unix milliseconds. `change`, `fact` and `audit` are append-only.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
INSERT INTO meta (key, value) VALUES ('application', 'onscene');
INSERT INTO meta (key, value) VALUES ('epoch', '1');

-- Documents -----------------------------------------------------------------------------------

CREATE TABLE doc (
    doc_id BYTEA PRIMARY KEY,
    kind BIGINT NOT NULL,
    version BIGINT NOT NULL,
    changes BIGINT NOT NULL,
    sum BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    heads BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE change (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    doc_id BYTEA NOT NULL,
    ord BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    actor BYTEA NOT NULL,
    seq BIGINT NOT NULL,
    body BYTEA NOT NULL,
    device BYTEA NOT NULL,
    late BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    UNIQUE (doc_id, hash),
    UNIQUE (doc_id, actor, seq)
);

CREATE TABLE snapshot (
    doc_id BYTEA PRIMARY KEY REFERENCES doc (doc_id),
    changes BIGINT NOT NULL,
    heads_hash BYTEA NOT NULL,
    body BYTEA NOT NULL,
    made_at BIGINT NOT NULL
);

CREATE TABLE fact (
    fact_id BYTEA PRIMARY KEY,
    device BYTEA NOT NULL,
    install BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    prev BYTEA,
    doc_id BYTEA NOT NULL,
    kind BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    UNIQUE (device, install, seq)
);
CREATE INDEX fact_doc ON fact (doc_id);

CREATE TABLE quarantine (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash BYTEA NOT NULL,
    doc_id BYTEA NOT NULL,
    kind BIGINT NOT NULL,
    body BYTEA NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    device BYTEA NOT NULL,
    install BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    settled_at BIGINT,
    settled_by BYTEA,
    ruling TEXT,
    settled_note TEXT,
    UNIQUE (device, doc_id, hash)
);
CREATE INDEX quarantine_open ON quarantine (received_at) WHERE settled_at IS NULL;

-- Feeds ---------------------------------------------------------------------------------------

CREATE TABLE bucket (
    bucket BYTEA PRIMARY KEY,
    n BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    checksum BIGINT NOT NULL
);

CREATE TABLE bucket_log (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bucket BYTEA NOT NULL,
    seq BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    doc_id BYTEA NOT NULL,
    hash BYTEA,
    UNIQUE (bucket, seq)
);

CREATE TABLE doc_bucket (
    doc_id BYTEA NOT NULL,
    bucket BYTEA NOT NULL,
    first_seq BIGINT NOT NULL,
    left_seq BIGINT,
    entered_at BIGINT NOT NULL,
    PRIMARY KEY (doc_id, bucket)
);
CREATE INDEX doc_bucket_bucket ON doc_bucket (bucket);

CREATE TABLE device_bucket (
    device BYTEA NOT NULL,
    bucket BYTEA NOT NULL,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT NOT NULL,
    PRIMARY KEY (device, bucket)
);

-- Organisation --------------------------------------------------------------------------------

CREATE TABLE unit (
    unit_id BYTEA PRIMARY KEY,
    parent BYTEA REFERENCES unit (unit_id),
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    closed_at BIGINT
);
CREATE INDEX unit_parent ON unit (parent);

CREATE TABLE team (
    team_id BYTEA PRIMARY KEY,
    unit_id BYTEA NOT NULL REFERENCES unit (unit_id),
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    closed_at BIGINT
);
CREATE INDEX team_unit ON team (unit_id);

CREATE TABLE person (
    person_id BYTEA PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    unit_id BYTEA NOT NULL REFERENCES unit (unit_id),
    team_id BYTEA REFERENCES team (team_id),
    created_at BIGINT NOT NULL,
    closed_at BIGINT
);
CREATE INDEX person_unit ON person (unit_id);

CREATE TABLE person_post (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id BYTEA NOT NULL REFERENCES person (person_id),
    role TEXT NOT NULL,
    unit_id BYTEA NOT NULL REFERENCES unit (unit_id),
    team_id BYTEA REFERENCES team (team_id),
    from_at BIGINT NOT NULL,
    until_at BIGINT
);
CREATE INDEX person_post_person ON person_post (person_id, from_at);
CREATE INDEX person_post_unit ON person_post (unit_id, from_at);

CREATE TABLE staff_key (
    key_hash BYTEA PRIMARY KEY,
    person_id BYTEA NOT NULL REFERENCES person (person_id),
    label TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    expires_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX staff_key_person ON staff_key (person_id);

-- Phones --------------------------------------------------------------------------------------

CREATE TABLE enrolment_code (
    selector TEXT PRIMARY KEY,
    code_hash BYTEA NOT NULL,
    person_id BYTEA NOT NULL REFERENCES person (person_id),
    issued_by BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    failures BIGINT NOT NULL DEFAULT 0,
    used_at BIGINT,
    device BYTEA
);
CREATE INDEX enrolment_code_person ON enrolment_code (person_id);

CREATE TABLE enrolment_guess (
    since BIGINT PRIMARY KEY,
    failures BIGINT NOT NULL
);

CREATE TABLE device (
    device BYTEA PRIMARY KEY,
    person_id BYTEA NOT NULL REFERENCES person (person_id),
    key BYTEA NOT NULL UNIQUE,
    model TEXT NOT NULL,
    key_level TEXT NOT NULL,
    app_version TEXT NOT NULL,
    check_words TEXT NOT NULL,
    install BIGINT NOT NULL,
    anchors BIGINT NOT NULL DEFAULT 0,
    enrolled_at BIGINT NOT NULL,
    confirmed_at BIGINT,
    last_seen_at BIGINT,
    revoked_at BIGINT,
    revoked_by BYTEA,
    revoked_why TEXT
);
CREATE INDEX device_person ON device (person_id);

CREATE TABLE device_install (
    device BYTEA NOT NULL REFERENCES device (device),
    install BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (device, install)
);

CREATE TABLE device_head (
    device BYTEA NOT NULL,
    install BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    fact BYTEA,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (device, install, seq)
);

CREATE TABLE anchor (
    device BYTEA NOT NULL,
    number BIGINT NOT NULL,
    install BIGINT NOT NULL,
    head_seq BIGINT NOT NULL,
    head_fact BYTEA,
    at BIGINT NOT NULL,
    proof BYTEA NOT NULL,
    boot BYTEA,
    sent_boot_ns BIGINT,
    received_boot_ns BIGINT,
    PRIMARY KEY (device, number)
);

CREATE TABLE refresh_token (
    token_hash BYTEA PRIMARY KEY,
    device BYTEA NOT NULL REFERENCES device (device),
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    expires_at BIGINT NOT NULL
);
CREATE INDEX refresh_token_device ON refresh_token (device);

-- Work ----------------------------------------------------------------------------------------

CREATE TABLE case_row (
    case_id BYTEA PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,
    phase TEXT NOT NULL,
    unit_id BYTEA,
    team_id BYTEA,
    order_id BYTEA,
    inspection BYTEA,
    registered_at BIGINT NOT NULL,
    ordered_at BIGINT,
    due_at BIGINT,
    verdict TEXT,
    closed_at BIGINT,
    version BIGINT NOT NULL,
    view TEXT NOT NULL
);
CREATE INDEX case_row_unit ON case_row (unit_id, phase);
CREATE INDEX case_row_due ON case_row (due_at) WHERE closed_at IS NULL;
CREATE INDEX case_row_registered ON case_row (registered_at);

CREATE TABLE dispatch_order (
    order_id BYTEA PRIMARY KEY,
    case_id BYTEA NOT NULL,
    inspection BYTEA NOT NULL UNIQUE,
    unit_id BYTEA NOT NULL,
    issued_at BIGINT NOT NULL,
    received_at BIGINT
);
CREATE INDEX dispatch_order_case ON dispatch_order (case_id);
CREATE INDEX dispatch_order_open ON dispatch_order (unit_id) WHERE received_at IS NULL;

CREATE TABLE idempotency (
    owner BYTEA NOT NULL,
    key TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    status BIGINT NOT NULL,
    reply BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (owner, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE TABLE job (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT,
    payload TEXT NOT NULL,
    run_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    leased_until BIGINT,
    last_error TEXT,
    failed_at BIGINT,
    done_at BIGINT,
    UNIQUE (kind, key)
);
CREATE INDEX job_due ON job (run_at) WHERE done_at IS NULL AND failed_at IS NULL;
CREATE INDEX job_done ON job (done_at) WHERE done_at IS NOT NULL;
