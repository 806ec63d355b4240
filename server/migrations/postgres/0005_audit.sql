-- The audit log. The same tables, columns and order as ../sqlite/0005_audit.sql.

-- Entries are added and never changed: `n`, the place in the log, is given once, when the tree
-- takes the entry in.
CREATE TABLE audit_entry (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    n BIGINT UNIQUE,
    at BIGINT NOT NULL,
    action BIGINT NOT NULL,
    person BYTEA,
    device BYTEA,
    subject BYTEA,
    detail TEXT NOT NULL,
    object BYTEA NOT NULL
);
CREATE INDEX audit_entry_new ON audit_entry (id) WHERE n IS NULL;
CREATE INDEX audit_entry_subject ON audit_entry (subject) WHERE subject IS NOT NULL;
CREATE INDEX audit_entry_person ON audit_entry (person) WHERE person IS NOT NULL;
CREATE INDEX audit_entry_restore ON audit_entry (n) WHERE action = 0;

CREATE TABLE audit_head (
    one BIGINT PRIMARY KEY,
    size BIGINT NOT NULL
);
INSERT INTO audit_head (one, size) VALUES (1, 0);

-- Hashes of complete subtrees, 256 in a row: those of level l are roots over 256^l entries.
CREATE TABLE audit_tile (
    level BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    hashes BYTEA NOT NULL,
    PRIMARY KEY (level, idx)
);

CREATE TABLE audit_checkpoint (
    size BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    signed BYTEA NOT NULL
);

-- Checkpoints that phones hold and this log does not agree with.
CREATE TABLE audit_dispute (
    epoch BIGINT NOT NULL,
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    device BYTEA NOT NULL,
    at BIGINT NOT NULL,
    signed BYTEA NOT NULL,
    PRIMARY KEY (epoch, size, root)
);
