-- What release 0.2 adds to the index. A release's migration only adds: the one before it must be able to work with
-- the result (a test lets it try), so a new column has a default and nothing is renamed. What is removed goes one
-- release later.

-- When it was first queued, UTC ns: today's objects go before a backlog. 0 in rows of release 0.1, which are old.
ALTER TABLE delivery ADD COLUMN queued_ns INTEGER NOT NULL DEFAULT 0;

-- Retention. Since when a capture may go, in seconds of the box's own age (forward/retention.py), and why: '' = it may
-- not. `purged`: when its pictures were let go; '' = they are here. The file <uid>.purged decides.
ALTER TABLE capture ADD COLUMN settled_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE capture ADD COLUMN settled_why TEXT NOT NULL DEFAULT '';
ALTER TABLE capture ADD COLUMN purged TEXT NOT NULL DEFAULT '';
CREATE INDEX capture_here ON capture (purged) WHERE purged = ''; -- and by rowid within: the order of capture
CREATE INDEX exam_opened ON exam (opened_at); -- for the check of a day
