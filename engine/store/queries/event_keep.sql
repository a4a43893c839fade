-- Keeps an event with its routes, once. The primary key decides; the first one counts.
with kept as (
    insert into event (
        bucket, id, namespace, source, source_id, event_type, body, matched, received_at
    )
    values ($1, $2, $3, $4, $5, $6, $7, false, $8)
    on conflict do nothing
    returning bucket, id
),
routed as (
    insert into event_route (bucket, event_id, shape, value, namespace, event_type)
    select k.bucket, k.id, r.shape, r.value, $3, $6
    from kept k
    cross join unnest($9::text[], $10::text[]) as r (shape, value)
    on conflict do nothing
)
select k.id
from kept k
