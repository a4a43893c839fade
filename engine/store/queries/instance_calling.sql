-- Live instances with calls out. No lock.
select s.id
from instance_state s
where s.bucket = any($1::int[])
    and s.status in ('pending', 'live')
    and s.open_calls > 0
    and ($2::uuid is null or s.id > $2)
order by s.id
limit $3
