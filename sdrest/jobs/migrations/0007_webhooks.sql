-- Who wants to hear of a job: JSON {url, events, server}. NULL: nobody.
ALTER TABLE jobs ADD COLUMN webhook TEXT;

-- Messages that are still to be delivered, each until its listener has taken it.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    message TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),  -- the same for each attempt
    type TEXT NOT NULL,
    job TEXT NOT NULL,
    event TEXT NOT NULL,
    created_at REAL NOT NULL,
    due_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX deliveries_due ON deliveries (due_at);
CREATE INDEX deliveries_of_job ON deliveries (type, job);

-- The message is written with the change that it is about, so neither is there without the other.
CREATE TRIGGER jobs_announced AFTER UPDATE OF status ON jobs
WHEN new.webhook IS NOT NULL AND old.status IN ('QUEUED', 'IN_PROGRESS') BEGIN
    INSERT INTO deliveries (type, job, event, created_at, due_at)
    SELECT new.type, new.id, value, now, now FROM
        json_each(new.webhook, '$.events'),
        (SELECT (julianday('now') - 2440587.5) * 86400.0 AS now)
    WHERE old.status <> new.status AND value = CASE new.status
        WHEN 'IN_PROGRESS' THEN 'started' WHEN 'COMPLETE' THEN 'complete'
        WHEN 'FAILED' THEN 'failed' WHEN 'CANCELLED' THEN 'cancelled' END;
END;

CREATE TRIGGER images_announced AFTER UPDATE OF images ON jobs
WHEN new.webhook IS NOT NULL AND new.images > old.images BEGIN
    INSERT INTO deliveries (type, job, event, created_at, due_at)
    SELECT new.type, new.id, value, now, now FROM
        json_each(new.webhook, '$.events'),
        (SELECT (julianday('now') - 2440587.5) * 86400.0 AS now)
    WHERE value = 'image';
END;

CREATE TRIGGER jobs_forgotten AFTER DELETE ON jobs BEGIN
    DELETE FROM deliveries WHERE type = old.type AND job = old.id;
END;
