-- Version 6 of the phone's store: arrivals that are being recorded, kept from the tap on.
CREATE TABLE arriving (
    doc BLOB PRIMARY KEY REFERENCES doc (doc),
    claim BLOB NOT NULL -- sealed
) STRICT;
