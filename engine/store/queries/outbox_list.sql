-- Commands on their way, oldest first. No lock.
select o.instance_id, o.ordinal, o.command
from outbox o
where o.bucket = any($1::int[])
order by o.created_at, o.instance_id, o.ordinal
limit $2
