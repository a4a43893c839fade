-- The first event of a type and route that a wait has consumed. No lock.
select r.bucket, r.event_id
from event_route r
join event e on e.bucket = r.bucket and e.id = r.event_id
where r.namespace = $1
    and r.event_type = $2
    and r.shape = $3
    and r.value = $4
    and exists (
        select
        from delivery d
        where d.bucket = r.bucket
            and d.event_id = r.event_id
            and d.state = 'consumed'
    )
order by e.received_at, r.event_id
limit 1
