-- What phones hand in for their colleagues, on PostgreSQL. The same as ../sqlite/0004_handover.sql.

CREATE TABLE carried_change (
    doc_id BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    carrier BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    PRIMARY KEY (doc_id, hash)
);

ALTER TABLE quarantine ADD COLUMN carrier BYTEA;
