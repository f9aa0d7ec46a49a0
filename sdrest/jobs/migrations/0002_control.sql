-- What a job's images and inputs take, once it has come to its end.
ALTER TABLE jobs ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;

CREATE INDEX jobs_by_type ON jobs (type, number);
CREATE INDEX jobs_failed ON jobs (number) WHERE status = 'FAILED';
CREATE INDEX jobs_cancelled ON jobs (number) WHERE status = 'CANCELLED';
CREATE INDEX jobs_by_end ON jobs (finished_at, number, bytes) WHERE finished_at IS NOT NULL;

-- Jobs that were deleted, and whether files of theirs may still be there.
CREATE TABLE deleted (
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    has_files INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (type, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX deleted_with_files ON deleted (type, id) WHERE has_files;

CREATE TRIGGER deleted_came_back AFTER INSERT ON jobs BEGIN
    DELETE FROM deleted WHERE type = new.type AND id = new.id;
END;
