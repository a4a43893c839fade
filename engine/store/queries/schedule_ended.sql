-- Followed instances that have ended, with their ends, oldest first. No lock.
select
    a.instance_id,
    s.updated_at as "updated_at: jiff_sqlx::Timestamp"
from schedule_after a
join instance_state s on s.bucket = a.bucket and s.id = a.instance_id
where a.namespace = $1
    and a.definition = $2
    and s.status in ('completed', 'faulted', 'cancelled')
order by s.updated_at, a.instance_id
limit $3
