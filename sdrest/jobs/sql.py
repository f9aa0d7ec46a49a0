"""The SQL of the job table; the migrations are beside it.

Every change of a status names the statuses from which it may come: `model.sources`.
"""

from sdrest.job_types import JobType
from sdrest.jobs.model import Status

FIND = "SELECT * FROM jobs WHERE type = :type AND id = :id"

COUNTS = "SELECT status, type, jobs FROM counts"

WAITING = "SELECT number FROM jobs WHERE status = 'QUEUED' ORDER BY number"

INSERT = """
INSERT INTO jobs (type, id, status, params, total_images, seed, created_at, webhook)
SELECT :type, :id, :target, :params, :total_images, :seed, :now, :webhook
WHERE (SELECT coalesce(sum(jobs), 0) FROM counts WHERE status = 'QUEUED') < :limit
ON CONFLICT (type, id) DO UPDATE SET
    number = (SELECT max(number) + 1 FROM jobs), status = excluded.status,
    params = excluded.params, total_images = excluded.total_images, images = 0,
    seed = excluded.seed, attempts = 0, created_at = excluded.created_at, started_at = NULL,
    finished_at = NULL, failure = NULL, bytes = 0, peak_rss = NULL,
    flagged = '[]', attention = NULL, webhook = coalesce(excluded.webhook, webhook)
WHERE status IN (SELECT value FROM json_each(:sources))
RETURNING *
"""

_CLAIM = """
UPDATE jobs SET status = :target, attempts = attempts + 1, started_at = :now
WHERE number = ({})
AND attempts <= :most_attempts
AND status IN (SELECT value FROM json_each(:sources))
RETURNING *
"""

CLAIM = _CLAIM.format("SELECT min(number) FROM jobs WHERE status = 'QUEUED'")

CLAIM_ONE_OF = _CLAIM.format("""
    SELECT min((
        SELECT min(number) FROM jobs WHERE status = 'QUEUED'
        AND type = json_extract(need.value, '$[0]')
        AND iif(json_valid(params), coalesce(json_extract(params, '$.model'), ''), '')
            = json_extract(need.value, '$[1]')
    )) FROM json_each(:needs) AS need
""")

LIST_IMAGE = """
UPDATE jobs SET images = max(images, :number), attention = nullif(:attention, ''),
    width = coalesce(:width, width), height = coalesce(:height, height), flagged = (
    SELECT json_group_array(value) FROM (
        SELECT value FROM json_each(flagged) WHERE value <> :number
        UNION ALL SELECT :number WHERE :is_flagged ORDER BY value
    )
)
WHERE type = :type AND id = :id AND status = 'IN_PROGRESS'
RETURNING *
"""

MARK_FAVOURITE = """
UPDATE jobs SET favourites = (
    SELECT json_group_array(value) FROM (
        SELECT value FROM json_each(favourites) WHERE value <> :number
        UNION ALL SELECT :number WHERE :is_favourite ORDER BY value
    )
)
WHERE type = :type AND id = :id
RETURNING *
"""

FINISH = """
UPDATE jobs SET status = :target, finished_at = :now, failure = :failure, bytes = :bytes,
    peak_rss = :peak_rss
WHERE type = :type AND id = :id AND status IN (SELECT value FROM json_each(:sources))
RETURNING *
"""

FOLLOW_FILES = """
UPDATE jobs SET status = :target, failure = :failure, bytes = :bytes
WHERE number = :number AND type = :type AND id = :id AND status = :status
RETURNING *
"""

RELEASE = """
UPDATE jobs SET status = :target, attempts = attempts - 1
WHERE type = :type AND id = :id AND status = 'IN_PROGRESS'
AND status IN (SELECT value FROM json_each(:sources))
RETURNING *
"""

INTERRUPTED = "SELECT * FROM jobs WHERE status = 'IN_PROGRESS' ORDER BY number"

RESUME = """
UPDATE jobs SET status = :target, attempts = min(attempts, :most_attempts)
WHERE number = :number AND status IN (SELECT value FROM json_each(:sources))
RETURNING *
"""

# One statement for each status: SQLite uses a partial index only for its literal condition.

_UNLIST = "UPDATE jobs SET images = 0, flagged = '[]', attention = NULL"

UNLIST_INCOMPLETE = (
    f"{_UNLIST} WHERE status = 'QUEUED' AND images > 0",
    f"{_UNLIST} WHERE status = 'IN_PROGRESS' AND images > 0",
)

INCOMPLETE = """
SELECT number, type, id FROM jobs WHERE number > :after AND status = 'QUEUED'
UNION ALL
SELECT number, type, id FROM jobs WHERE number > :after AND status = 'IN_PROGRESS'
ORDER BY number LIMIT 1000
"""

DELETE_INCOMPLETE = (
    "DELETE FROM jobs WHERE status = 'QUEUED'",
    "DELETE FROM jobs WHERE status = 'IN_PROGRESS'",
)

DELETE = "DELETE FROM jobs WHERE type = :type AND id = :id"

MARK_DELETED = "INSERT OR REPLACE INTO deleted (type, id) VALUES (:type, :id)"

FIND_OR_DELETED = """
SELECT jobs.*, EXISTS (SELECT 1 FROM deleted WHERE type = :type AND id = :id) AS is_deleted
FROM (SELECT 1) LEFT JOIN jobs ON type = :type AND id = :id
"""

DELETED_WITH_FILES = "SELECT type, id FROM deleted WHERE has_files"

FILES_REMOVED = "UPDATE deleted SET has_files = 0 WHERE type = :type AND id = :id"

OLDEST_FINISHED = """
SELECT * FROM jobs WHERE finished_at IS NOT NULL AND favourites = '[]'
ORDER BY finished_at, number LIMIT 1
"""

FINISHED_BYTES = """
SELECT coalesce(sum(bytes), 0) FROM jobs WHERE finished_at IS NOT NULL AND favourites = '[]'
"""

DUE_DELIVERIES = """
SELECT deliveries.id AS delivery, message, jobs.type, jobs.id, event, webhook,
    deliveries.created_at, deliveries.attempts
FROM deliveries JOIN jobs ON jobs.type = deliveries.type AND jobs.id = job
WHERE due_at <= :now AND webhook IS NOT NULL ORDER BY due_at, delivery LIMIT 1000
"""

NEXT_DELIVERY = "SELECT min(due_at) FROM deliveries WHERE due_at > :now"

DELIVERED = "DELETE FROM deliveries WHERE id = :id"

POSTPONE_DELIVERY = """
UPDATE deliveries SET attempts = attempts + 1, due_at = :due_at WHERE id = :id
"""

_PROMPT = "casefold(coalesce(json_extract(params, '$.prompt'), ''))"
"""The prompt as it is searched; `schema.py` defines the function."""

_PAGE = "SELECT * FROM jobs WHERE number < :before{} ORDER BY number DESC LIMIT :limit"


def page(
    status: Status | None, job_type: JobType | None, *, words: int = 0, favourites: bool = False
) -> str:
    """Return the statement for a page of jobs, newest first, of one status or type if given.

    `words`: how many words (`:word0`, `:word1` …, casefolded) the prompt has to have.
    `favourites`: only jobs with a favourite.
    """
    by_status = "" if status is None else f" AND status = '{status}'"
    by_type = "" if job_type is None else f" AND type = '{job_type}'"
    by_favourite = " AND favourites <> '[]'" if favourites else ""
    by_words = "".join(f" AND instr({_PROMPT}, :word{index})" for index in range(words))
    return _PAGE.format(by_status + by_type + by_favourite + by_words)
