-- The events gathered for a definition that have started nothing yet, oldest first. No lock.
select e.body
from schedule_event e
where e.namespace = $1
    and e.definition = $2
    and not e.used
order by e.received_at, e.event_id
limit $3
