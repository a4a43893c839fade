-- Takes every bucket that nobody holds or whose holder was fenced a moment ago. Locks the rows in order.
with free as (
    select b.bucket
    from bucket_lease b
    where b.node is null
        or b.node = any($2::uuid[])
    order by b.bucket
    for update
)
update bucket_lease b
set node = $1
from free
where b.bucket = free.bucket
