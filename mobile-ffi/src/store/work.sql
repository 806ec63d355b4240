-- Version 4 of the phone's store: lists.

-- What lists show of each case's orders, worked out anew whenever one of its documents changes
-- (`store/work.rs`).
CREATE TABLE work (
    case_doc BLOB PRIMARY KEY,
    items BLOB NOT NULL -- sealed
) STRICT;
