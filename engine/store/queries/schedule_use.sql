-- Notes events that have started an instance, or that will not.
update schedule_event e
set used = true
where e.namespace = $1
    and e.definition = $2
    and e.event_id = any ($3::uuid[])
