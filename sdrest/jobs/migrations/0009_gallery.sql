-- The images that somebody marked as favourites: their numbers as a JSON array.
ALTER TABLE jobs ADD COLUMN favourites TEXT NOT NULL DEFAULT '[]';
CREATE INDEX jobs_favourite ON jobs (number) WHERE favourites <> '[]';

-- Pixels of the images, once there is one; NULL for jobs of earlier versions.
ALTER TABLE jobs ADD COLUMN width INTEGER;
ALTER TABLE jobs ADD COLUMN height INTEGER;

-- Jobs with favourites are kept, so retention neither removes nor counts them.
DROP INDEX jobs_by_end;
CREATE INDEX jobs_by_end ON jobs (finished_at, number, bytes)
WHERE finished_at IS NOT NULL AND favourites = '[]';
