-- Instances with calls out: live ones, and those whose abandoned effect may still be answered. No lock.
select c.id as "id!"
from (
    select s.id
    from instance_state s
    where s.bucket = any($1::int[])
        and s.status in ('pending', 'live')
        and s.open_calls > 0
        and ($2::uuid is null or s.id > $2)
    union
    select e.instance_id as id
    from unsettled_effect e
    where e.bucket = any($1::int[])
        and e.phase = 'abandoned'
        and ($2::uuid is null or e.instance_id > $2)
) c
order by c.id
limit $3
