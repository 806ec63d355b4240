-- Version 8 of the phone's store: which of colleagues' changes the guard has let in. Those of before are
-- not applied any more; the hub will tell of them.
ALTER TABLE carried ADD COLUMN ruled INTEGER NOT NULL DEFAULT 0;
