-- What a verdict rests on besides the signed claim and order, by its hash, which the verdict names.

CREATE TABLE verdict_grounds (
    hash BLOB PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;
