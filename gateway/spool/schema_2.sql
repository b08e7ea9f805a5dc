-- What release 0.2 adds to the index. A release's migration only adds: the one before it must be able to work with
-- the result (a test lets it try), so a new column has a default and nothing is renamed. What is removed goes one
-- release later.

-- When it was first queued, UTC ns: today's objects go before a backlog. 0 in rows of release 0.1, which are old.
ALTER TABLE delivery ADD COLUMN queued_ns INTEGER NOT NULL DEFAULT 0;

-- 1: the object stands in its exam's SHA256SUMS, which is written once for many. 0 in rows of release 0.1: written soon.
ALTER TABLE object ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX object_unlisted ON object (exam) WHERE listed = 0;
