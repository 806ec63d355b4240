-- Files of a former store of this phone, whose key was lost: a number below 0, and the fact that names
-- the file, which no record of this store states.
CREATE TABLE evidence_and_inherited (
    n INTEGER PRIMARY KEY,
    fact BLOB UNIQUE,
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
    receipt BLOB, -- sealed
    CHECK ((n < 0) = (fact IS NOT NULL))
) STRICT;
INSERT INTO evidence_and_inherited
    (n, name, sha256, bytes, media, ordered_at, file, place, sent, certain, trouble, receipt)
    SELECT n, name, sha256, bytes, media, ordered_at, file, place, sent, certain, trouble, receipt
    FROM evidence;
DROP TABLE evidence;
ALTER TABLE evidence_and_inherited RENAME TO evidence;
CREATE INDEX evidence_kept ON evidence (n) WHERE file <> 1;
