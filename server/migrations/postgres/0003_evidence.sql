-- Evidence on PostgreSQL. The same tables, columns and order as ../sqlite/0003_evidence.sql.
-- A row of `evidence` begins with the first upload of a manifest's file; `blob` counts objects.

CREATE TABLE blob (
    sha256 BYTEA PRIMARY KEY,
    bytes BIGINT NOT NULL,
    touched_at BIGINT NOT NULL,
    stored_at BIGINT,
    damaged_at BIGINT,
    condemned_at BIGINT,
    dropping_at BIGINT
);
CREATE INDEX blob_condemned ON blob (condemned_at) WHERE condemned_at IS NOT NULL;

CREATE TABLE evidence (
    fact_id BYTEA PRIMARY KEY,
    doc_id BYTEA NOT NULL,
    device BYTEA NOT NULL,
    sha256 BYTEA NOT NULL,
    bytes BIGINT NOT NULL,
    media BIGINT NOT NULL,
    begun_at BIGINT NOT NULL,
    mime TEXT,
    stored_at BIGINT,
    receipt BYTEA,
    refused_at BIGINT,
    refused_why TEXT,
    erased_at BIGINT
);
CREATE INDEX evidence_doc ON evidence (doc_id);
CREATE INDEX evidence_file ON evidence (sha256);

CREATE TABLE upload (
    upload_id BYTEA PRIMARY KEY,
    fact_id BYTEA NOT NULL UNIQUE REFERENCES evidence (fact_id),
    received BIGINT NOT NULL,
    holder BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX upload_expires ON upload (expires_at);

CREATE TABLE upload_piece (
    upload_id BYTEA NOT NULL,
    number BIGINT NOT NULL,
    holder BIGINT NOT NULL,
    PRIMARY KEY (upload_id, number)
);

CREATE TABLE upload_day (
    device BYTEA NOT NULL,
    day BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (device, day)
);

-- What pictures show ----------------------------------------------------------------------------

CREATE TABLE picture (
    sha256 BYTEA PRIMARY KEY,
    looked_at BIGINT NOT NULL,
    width BIGINT,
    height BIGINT,
    thumbnail BYTEA,
    outward BYTEA,
    likeness BYTEA,
    why TEXT
);
CREATE INDEX picture_thumbnail ON picture (thumbnail);
CREATE INDEX picture_outward ON picture (outward);

CREATE TABLE picture_band (
    band BIGINT NOT NULL,
    value BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    PRIMARY KEY (band, value, sha256)
);

CREATE TABLE reuse (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fact_id BYTEA NOT NULL,
    doc_id BYTEA NOT NULL,
    earlier_fact BYTEA NOT NULL,
    earlier_doc BYTEA NOT NULL,
    distance BIGINT,
    raised_at BIGINT NOT NULL,
    settled_at BIGINT,
    settled_by BYTEA,
    ruling TEXT,
    settled_note TEXT,
    UNIQUE (fact_id, earlier_fact)
);
CREATE INDEX reuse_doc ON reuse (doc_id);
CREATE INDEX reuse_open ON reuse (raised_at) WHERE settled_at IS NULL;
