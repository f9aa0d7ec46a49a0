-- 0x73647265 is "sdre": a database of another program is not touched.
PRAGMA application_id = 0x73647265;

CREATE TABLE jobs (
    number INTEGER PRIMARY KEY,  -- the order of the queue: the lowest goes first
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    status TEXT NOT NULL,
    params TEXT NOT NULL,        -- JSON, under the API's names
    total_images INTEGER NOT NULL,
    images INTEGER NOT NULL DEFAULT 0,
    seed INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,    -- seconds since the epoch, as all times
    started_at REAL,
    finished_at REAL,
    failure TEXT,                -- JSON {code, message, details}
    UNIQUE (type, id)
) STRICT;

CREATE INDEX jobs_waiting ON jobs (number) WHERE status = 'QUEUED';
CREATE INDEX jobs_running ON jobs (number) WHERE status = 'IN_PROGRESS';

-- How many jobs stand where, without counting rows.
CREATE TABLE counts (
    status TEXT PRIMARY KEY,
    jobs INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER jobs_inserted AFTER INSERT ON jobs BEGIN
    INSERT INTO counts VALUES (new.status, 1) ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER jobs_moved AFTER UPDATE OF status ON jobs WHEN old.status <> new.status BEGIN
    UPDATE counts SET jobs = jobs - 1 WHERE status = old.status;
    INSERT INTO counts VALUES (new.status, 1) ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER jobs_deleted AFTER DELETE ON jobs BEGIN
    UPDATE counts SET jobs = jobs - 1 WHERE status = old.status;
END;
