-- All schedules that have had a firing. No lock.
select
    s.namespace,
    s.definition,
    s.handled as "handled: jiff_sqlx::Timestamp",
    s.instance_id,
    s.buffered_at as "buffered_at: jiff_sqlx::Timestamp",
    s.buffered_way
from schedule_state s
