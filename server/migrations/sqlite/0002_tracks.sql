-- Onscene on SQLite. The same tables, columns and order as ../postgres/0002_tracks.sql.

-- Tracks of arrival claims, erased when the policy's retention of tracks ends. `cell` is a coarse
-- place; `body` is the track as sync-core encodes it.
CREATE TABLE track (
    fact_id BLOB PRIMARY KEY,
    doc_id BLOB NOT NULL,
    device BLOB NOT NULL,
    boot BLOB NOT NULL,
    cell INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX track_cell ON track (cell, received_at);
CREATE INDEX track_received ON track (received_at);

-- Claims that rest on the same track: each pair stands here both ways, without positions.
CREATE TABLE same_track (
    fact_id BLOB NOT NULL,
    other BLOB NOT NULL,
    PRIMARY KEY (fact_id, other)
) STRICT;
