-- Evidence on SQLite. The same tables, columns and order as ../postgres/0003_evidence.sql.
-- A row of `evidence` begins with the first upload of a manifest's file; `blob` counts objects.

CREATE TABLE blob (
    sha256 BLOB PRIMARY KEY,
    bytes INTEGER NOT NULL,
    touched_at INTEGER NOT NULL,
    stored_at INTEGER,
    damaged_at INTEGER,
    condemned_at INTEGER,
    dropping_at INTEGER
) STRICT;
CREATE INDEX blob_condemned ON blob (condemned_at) WHERE condemned_at IS NOT NULL;

CREATE TABLE evidence (
    fact_id BLOB PRIMARY KEY,
    doc_id BLOB NOT NULL,
    device BLOB NOT NULL,
    sha256 BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    media INTEGER NOT NULL,
    begun_at INTEGER NOT NULL,
    mime TEXT,
    stored_at INTEGER,
    receipt BLOB,
    refused_at INTEGER,
    refused_why TEXT,
    erased_at INTEGER
) STRICT;
CREATE INDEX evidence_doc ON evidence (doc_id);
CREATE INDEX evidence_file ON evidence (sha256);

CREATE TABLE upload (
    upload_id BLOB PRIMARY KEY,
    fact_id BLOB NOT NULL UNIQUE REFERENCES evidence (fact_id),
    received INTEGER NOT NULL,
    holder INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX upload_expires ON upload (expires_at);

CREATE TABLE upload_piece (
    upload_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    holder INTEGER NOT NULL,
    PRIMARY KEY (upload_id, number)
) STRICT;

CREATE TABLE upload_day (
    device BLOB NOT NULL,
    day INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (device, day)
) STRICT;

-- What pictures show ----------------------------------------------------------------------------

CREATE TABLE picture (
    sha256 BLOB PRIMARY KEY,
    looked_at INTEGER NOT NULL,
    width INTEGER,
    height INTEGER,
    thumbnail BLOB,
    outward BLOB,
    likeness BLOB,
    why TEXT
) STRICT;
CREATE INDEX picture_thumbnail ON picture (thumbnail);
CREATE INDEX picture_outward ON picture (outward);

CREATE TABLE picture_band (
    band INTEGER NOT NULL,
    value INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    PRIMARY KEY (band, value, sha256)
) STRICT;

CREATE TABLE reuse (
    id INTEGER PRIMARY KEY,
    fact_id BLOB NOT NULL,
    doc_id BLOB NOT NULL,
    earlier_fact BLOB NOT NULL,
    earlier_doc BLOB NOT NULL,
    distance INTEGER,
    raised_at INTEGER NOT NULL,
    settled_at INTEGER,
    settled_by BLOB,
    ruling TEXT,
    settled_note TEXT,
    UNIQUE (fact_id, earlier_fact)
) STRICT;
CREATE INDEX reuse_doc ON reuse (doc_id);
CREATE INDEX reuse_open ON reuse (raised_at) WHERE settled_at IS NULL;
