-- Version 4 of the phone's store: lists, and a stamp on each record.

-- What lists show of each case's orders, worked out anew whenever one of its documents changes
-- (`store/work.rs`).
CREATE TABLE work (
    case_doc BLOB PRIMARY KEY,
    items BLOB NOT NULL -- sealed
) STRICT;

-- Shows damage of what stands in the clear of a record.
ALTER TABLE intent ADD COLUMN stamp BLOB NOT NULL DEFAULT x'';
