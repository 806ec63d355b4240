-- What phones hand in for their colleagues, on SQLite. The same as ../postgres/0004_handover.sql.

CREATE TABLE carried_change (
    doc_id BLOB NOT NULL,
    hash BLOB NOT NULL,
    carrier BLOB NOT NULL,
    statement BLOB NOT NULL,
    PRIMARY KEY (doc_id, hash)
) STRICT;

ALTER TABLE quarantine ADD COLUMN carrier BLOB;
