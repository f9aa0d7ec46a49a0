-- The images that the safety checker replaced: their numbers as a JSON array.
ALTER TABLE jobs ADD COLUMN flagged TEXT NOT NULL DEFAULT '[]';
