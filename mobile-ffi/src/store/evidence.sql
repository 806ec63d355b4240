-- Version 3. Files of evidence that are being taken: the row is there before the camera opens.
CREATE TABLE capture (
    id INTEGER PRIMARY KEY,
    doc BLOB NOT NULL REFERENCES doc (doc),
    media INTEGER NOT NULL,
    extension TEXT NOT NULL,
    captured INTEGER NOT NULL,
    before BLOB,
    begun BLOB NOT NULL -- sealed
) STRICT;

-- Files of evidence that a fact names, each with how far its bytes have come.
CREATE TABLE evidence (
    n INTEGER PRIMARY KEY REFERENCES intent (n),
    name TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    media INTEGER NOT NULL,
    ordered_at BLOB, -- sealed
    file INTEGER NOT NULL DEFAULT 0,
    place BLOB, -- sealed
    sent INTEGER NOT NULL DEFAULT 0,
    certain INTEGER NOT NULL DEFAULT 0,
    trouble BLOB, -- sealed
    receipt BLOB -- sealed
) STRICT;
CREATE INDEX evidence_kept ON evidence (n) WHERE file <> 1;
