-- Events that were kept but have not looked for waits: a crash in between, or a refusal. No lock.
select e.bucket, e.id
from event e
where not e.matched
    and e.bucket = any($1::int[])
limit $2
