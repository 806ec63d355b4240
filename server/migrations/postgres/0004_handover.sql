-- What phones hand in for their colleagues, on PostgreSQL. The same as ../sqlite/0004_handover.sql.

CREATE TABLE statement (
    statement_id BYTEA PRIMARY KEY,
    body BYTEA NOT NULL
);

CREATE TABLE carried_change (
    doc_id BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    carrier BYTEA NOT NULL,
    statement_id BYTEA NOT NULL REFERENCES statement (statement_id),
    PRIMARY KEY (doc_id, hash)
);

ALTER TABLE quarantine ADD COLUMN carrier BYTEA;
