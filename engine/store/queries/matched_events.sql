-- These events have looked for waits.
update event e
set matched = true
from unnest($1::int[], $2::uuid[]) as n (bucket, id)
where e.bucket = n.bucket
    and e.id = n.id
    and not e.matched
