-- Forgets events that have started an instance, or that will not.
delete from schedule_event e
where e.namespace = $1
    and e.definition = $2
    and e.event_id = any ($3::uuid[])
