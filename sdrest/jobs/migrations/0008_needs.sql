-- The oldest waiting job of a type and a checkpoint, for machines that have only some of them.
CREATE INDEX jobs_by_need ON jobs (
    type, iif(json_valid(params), coalesce(json_extract(params, '$.model'), ''), ''), number
) WHERE status = 'QUEUED';
