-- These waits have looked for kept events.
update wait w
set matched = true
from unnest($1::int[], $2::uuid[], $3::bigint[]) as n (bucket, instance_id, wait)
where w.bucket = n.bucket
    and w.instance_id = n.instance_id
    and w.wait = n.wait
    and not w.matched
