-- Onscene on SQLite. The same tables, columns and order as ../postgres/0001_first.sql.
-- Moments are Unix milliseconds. `change`, `fact` and `audit` are append-only.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
INSERT INTO meta (key, value) VALUES ('application', 'onscene');
INSERT INTO meta (key, value) VALUES ('epoch', '1');

-- Documents -----------------------------------------------------------------------------------

CREATE TABLE doc (
    doc_id BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    version INTEGER NOT NULL,
    changes INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    heads BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE change (
    id INTEGER PRIMARY KEY,
    doc_id BLOB NOT NULL,
    ord INTEGER NOT NULL,
    hash BLOB NOT NULL,
    actor BLOB NOT NULL,
    seq INTEGER NOT NULL,
    body BLOB NOT NULL,
    device BLOB NOT NULL,
    late INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    UNIQUE (doc_id, hash),
    UNIQUE (doc_id, actor, seq)
) STRICT;

CREATE TABLE snapshot (
    doc_id BLOB PRIMARY KEY REFERENCES doc (doc_id),
    changes INTEGER NOT NULL,
    heads_hash BLOB NOT NULL,
    body BLOB NOT NULL,
    made_at INTEGER NOT NULL
) STRICT;

CREATE TABLE fact (
    fact_id BLOB PRIMARY KEY,
    device BLOB NOT NULL,
    install INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    prev BLOB,
    doc_id BLOB NOT NULL,
    kind INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    UNIQUE (device, install, seq)
) STRICT;
CREATE INDEX fact_doc ON fact (doc_id);

CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    doc_id BLOB NOT NULL,
    kind INTEGER NOT NULL,
    body BLOB NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    device BLOB NOT NULL,
    install INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    settled_at INTEGER,
    settled_by BLOB,
    ruling TEXT,
    settled_note TEXT,
    UNIQUE (device, doc_id, hash)
) STRICT;
CREATE INDEX quarantine_open ON quarantine (received_at) WHERE settled_at IS NULL;

-- Feeds ---------------------------------------------------------------------------------------

CREATE TABLE bucket (
    bucket BLOB PRIMARY KEY,
    n INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE bucket_log (
    id INTEGER PRIMARY KEY,
    bucket BLOB NOT NULL,
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    doc_id BLOB NOT NULL,
    hash BLOB,
    UNIQUE (bucket, seq)
) STRICT;

CREATE TABLE doc_bucket (
    doc_id BLOB NOT NULL,
    bucket BLOB NOT NULL,
    first_seq INTEGER NOT NULL,
    left_seq INTEGER,
    entered_at INTEGER NOT NULL,
    PRIMARY KEY (doc_id, bucket)
) STRICT;
CREATE INDEX doc_bucket_bucket ON doc_bucket (bucket);

CREATE TABLE device_bucket (
    device BLOB NOT NULL,
    bucket BLOB NOT NULL,
    from_seq INTEGER NOT NULL,
    to_seq INTEGER NOT NULL,
    PRIMARY KEY (device, bucket)
) STRICT;

-- Organisation --------------------------------------------------------------------------------

CREATE TABLE unit (
    unit_id BLOB PRIMARY KEY,
    parent BLOB REFERENCES unit (unit_id),
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    closed_at INTEGER
) STRICT;
CREATE INDEX unit_parent ON unit (parent);

CREATE TABLE team (
    team_id BLOB PRIMARY KEY,
    unit_id BLOB NOT NULL REFERENCES unit (unit_id),
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    closed_at INTEGER
) STRICT;
CREATE INDEX team_unit ON team (unit_id);

CREATE TABLE person (
    person_id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    unit_id BLOB NOT NULL REFERENCES unit (unit_id),
    team_id BLOB REFERENCES team (team_id),
    created_at INTEGER NOT NULL,
    closed_at INTEGER
) STRICT;
CREATE INDEX person_unit ON person (unit_id);

CREATE TABLE person_post (
    id INTEGER PRIMARY KEY,
    person_id BLOB NOT NULL REFERENCES person (person_id),
    role TEXT NOT NULL,
    unit_id BLOB NOT NULL REFERENCES unit (unit_id),
    team_id BLOB REFERENCES team (team_id),
    from_at INTEGER NOT NULL,
    until_at INTEGER
) STRICT;
CREATE INDEX person_post_person ON person_post (person_id, from_at);
CREATE INDEX person_post_unit ON person_post (unit_id, from_at);

CREATE TABLE staff_key (
    key_hash BLOB PRIMARY KEY,
    person_id BLOB NOT NULL REFERENCES person (person_id),
    label TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;
CREATE INDEX staff_key_person ON staff_key (person_id);

-- Phones --------------------------------------------------------------------------------------

CREATE TABLE enrolment_code (
    selector TEXT PRIMARY KEY,
    code_hash BLOB NOT NULL,
    person_id BLOB NOT NULL REFERENCES person (person_id),
    issued_by BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    used_at INTEGER,
    device BLOB
) STRICT;
CREATE INDEX enrolment_code_person ON enrolment_code (person_id);

CREATE TABLE enrolment_guess (
    since INTEGER PRIMARY KEY,
    failures INTEGER NOT NULL
) STRICT;

CREATE TABLE device (
    device BLOB PRIMARY KEY,
    person_id BLOB NOT NULL REFERENCES person (person_id),
    key BLOB NOT NULL UNIQUE,
    model TEXT NOT NULL,
    key_level TEXT NOT NULL,
    app_version TEXT NOT NULL,
    check_words TEXT NOT NULL,
    install INTEGER NOT NULL,
    anchors INTEGER NOT NULL DEFAULT 0,
    enrolled_at INTEGER NOT NULL,
    confirmed_at INTEGER,
    last_seen_at INTEGER,
    revoked_at INTEGER,
    revoked_by BLOB,
    revoked_why TEXT
) STRICT;
CREATE INDEX device_person ON device (person_id);

CREATE TABLE device_install (
    device BLOB NOT NULL REFERENCES device (device),
    install INTEGER NOT NULL,
    issued_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (device, install)
) STRICT;

CREATE TABLE device_head (
    device BLOB NOT NULL,
    install INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    fact BLOB,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (device, install, seq)
) STRICT;

CREATE TABLE anchor (
    device BLOB NOT NULL,
    number INTEGER NOT NULL,
    install INTEGER NOT NULL,
    head_seq INTEGER NOT NULL,
    head_fact BLOB,
    at INTEGER NOT NULL,
    proof BLOB NOT NULL,
    boot BLOB,
    sent_boot_ns INTEGER,
    received_boot_ns INTEGER,
    PRIMARY KEY (device, number)
) STRICT;

CREATE TABLE refresh_token (
    token_hash BLOB PRIMARY KEY,
    device BLOB NOT NULL REFERENCES device (device),
    created_at INTEGER NOT NULL,
    last_used_at INTEGER,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX refresh_token_device ON refresh_token (device);

-- Work ----------------------------------------------------------------------------------------

CREATE TABLE case_row (
    case_id BLOB PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,
    phase TEXT NOT NULL,
    unit_id BLOB,
    team_id BLOB,
    order_id BLOB,
    inspection BLOB,
    registered_at INTEGER NOT NULL,
    ordered_at INTEGER,
    due_at INTEGER,
    verdict TEXT,
    closed_at INTEGER,
    version INTEGER NOT NULL,
    view TEXT NOT NULL
) STRICT;
CREATE INDEX case_row_unit ON case_row (unit_id, phase);
CREATE INDEX case_row_due ON case_row (due_at) WHERE closed_at IS NULL;
CREATE INDEX case_row_registered ON case_row (registered_at);

CREATE TABLE dispatch_order (
    order_id BLOB PRIMARY KEY,
    case_id BLOB NOT NULL,
    inspection BLOB NOT NULL UNIQUE,
    unit_id BLOB NOT NULL,
    issued_at INTEGER NOT NULL,
    received_at INTEGER
) STRICT;
CREATE INDEX dispatch_order_case ON dispatch_order (case_id);
CREATE INDEX dispatch_order_open ON dispatch_order (unit_id) WHERE received_at IS NULL;

CREATE TABLE idempotency (
    owner BLOB NOT NULL,
    key TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    status INTEGER NOT NULL,
    reply BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT;
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT,
    payload TEXT NOT NULL,
    run_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    leased_until INTEGER,
    last_error TEXT,
    failed_at INTEGER,
    done_at INTEGER,
    UNIQUE (kind, key)
) STRICT;
CREATE INDEX job_due ON job (run_at) WHERE done_at IS NULL AND failed_at IS NULL;
CREATE INDEX job_done ON job (done_at) WHERE done_at IS NOT NULL;
