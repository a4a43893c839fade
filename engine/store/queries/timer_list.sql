-- Timers that are due, earliest first. No lock.
select
    t.instance_id,
    t.timer,
    t.due as "due: jiff_sqlx::Timestamp"
from timer t
where t.bucket = any($1::int[])
    and t.due < $2
order by t.due, t.instance_id, t.timer
limit $3
