-- What phones hand in for their colleagues, on SQLite. The same as ../postgres/0004_handover.sql.

CREATE TABLE statement (
    statement_id BLOB PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE carried_change (
    doc_id BLOB NOT NULL,
    hash BLOB NOT NULL,
    carrier BLOB NOT NULL,
    statement_id BLOB NOT NULL REFERENCES statement (statement_id),
    PRIMARY KEY (doc_id, hash)
) STRICT;

ALTER TABLE quarantine ADD COLUMN carrier BLOB;
