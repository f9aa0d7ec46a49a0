-- How many jobs of each type stand where.
DROP TRIGGER jobs_inserted;
DROP TRIGGER jobs_moved;
DROP TRIGGER jobs_deleted;
DROP TABLE counts;

CREATE TABLE counts (
    status TEXT NOT NULL,
    type TEXT NOT NULL,
    jobs INTEGER NOT NULL,
    PRIMARY KEY (status, type)
) STRICT, WITHOUT ROWID;

INSERT INTO counts SELECT status, type, count(*) FROM jobs GROUP BY status, type;

CREATE TRIGGER jobs_inserted AFTER INSERT ON jobs BEGIN
    INSERT INTO counts VALUES (new.status, new.type, 1) ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER jobs_moved AFTER UPDATE OF status ON jobs WHEN old.status <> new.status BEGIN
    UPDATE counts SET jobs = jobs - 1 WHERE status = old.status AND type = old.type;
    INSERT INTO counts VALUES (new.status, new.type, 1) ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER jobs_deleted AFTER DELETE ON jobs BEGIN
    UPDATE counts SET jobs = jobs - 1 WHERE status = old.status AND type = old.type;
END;
