-- The audit log. The same tables, columns and order as ../postgres/0005_audit.sql.

-- Entries are added and never changed: `n`, the place in the log, is given once, when the tree
-- takes the entry in.
CREATE TABLE audit_entry (
    id INTEGER PRIMARY KEY,
    n INTEGER UNIQUE,
    at INTEGER NOT NULL,
    action INTEGER NOT NULL,
    person BLOB,
    device BLOB,
    subject BLOB,
    detail TEXT NOT NULL,
    object BLOB NOT NULL
) STRICT;
CREATE INDEX audit_entry_new ON audit_entry (id) WHERE n IS NULL;
CREATE INDEX audit_entry_subject ON audit_entry (subject) WHERE subject IS NOT NULL;
CREATE INDEX audit_entry_person ON audit_entry (person) WHERE person IS NOT NULL;
CREATE INDEX audit_entry_restore ON audit_entry (n) WHERE action = 0;

CREATE TABLE audit_head (
    one INTEGER PRIMARY KEY,
    size INTEGER NOT NULL
) STRICT;
INSERT INTO audit_head (one, size) VALUES (1, 0);

-- Hashes of complete subtrees, 256 in a row: those of level l are roots over 256^l entries.
CREATE TABLE audit_tile (
    level INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (level, idx)
) STRICT;

CREATE TABLE audit_checkpoint (
    size INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    signed BLOB NOT NULL
) STRICT;

-- Checkpoints that phones hold and this log does not agree with.
CREATE TABLE audit_dispute (
    epoch INTEGER NOT NULL,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    device BLOB NOT NULL,
    at INTEGER NOT NULL,
    signed BLOB NOT NULL,
    PRIMARY KEY (epoch, size, root)
) STRICT;
