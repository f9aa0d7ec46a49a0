-- How the script computed attention, exact or fast. NULL before the first image, and for an engine
-- without attention.
ALTER TABLE jobs ADD COLUMN attention TEXT;
