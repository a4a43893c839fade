-- Unconsumed mail, oldest first. No lock: the checkpoint that consumes it deletes it.
select x.id, x.instance_id, x.body
from mail x
where x.bucket = any($1::int[])
    and x.id <> all($2::uuid[])
order by x.at, x.id
limit $3
