ALTER TABLE jobs ADD COLUMN peak_rss INTEGER;  -- most memory of the script's process, in bytes
