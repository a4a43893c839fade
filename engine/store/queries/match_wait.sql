-- Kept events that fit open waits and that nobody holds or has consumed. Three arms, so that each is a
-- look into one index: type and value known, value not known yet, any type. No lock.
with opened as (
    select w.*
    from unnest($1::int[], $2::uuid[], $3::bigint[]) as n (bucket, instance_id, wait)
    join wait w on w.bucket = n.bucket and w.instance_id = n.instance_id and w.wait = n.wait
),
fit as (
    select r.bucket as event_bucket, r.event_id, o.bucket, o.instance_id, o.wait
    from opened o
    join event_route r on r.namespace = o.namespace
        and r.event_type = o.event_type
        and r.shape = o.shape
        and r.value = o.value
    union
    select r.bucket, r.event_id, o.bucket, o.instance_id, o.wait
    from opened o
    join event_route r on r.namespace = o.namespace
        and r.event_type = o.event_type
        and r.shape = o.shape
    where o.value = ''
    union
    select r.bucket, r.event_id, o.bucket, o.instance_id, o.wait
    from opened o
    join event_route r on r.namespace = o.namespace
        and r.shape = o.shape
    where o.event_type = ''
        and o.value in (r.value, '')
)
select
    e.bucket as "event_bucket!",
    e.id as "event_id!",
    e.body as "body!",
    e.received_at as "received_at!: jiff_sqlx::Timestamp",
    f.bucket as "bucket!",
    f.instance_id as "instance_id!",
    f.wait as "wait!"
from fit f
join event e on e.bucket = f.event_bucket and e.id = f.event_id
where not exists (
    select
    from delivery d
    where d.bucket = e.bucket
        and d.event_id = e.id
        and (
            d.state in ('delivered', 'consumed')
            or (d.instance_id = f.instance_id and d.wait = f.wait)
        )
)
order by 4, 2, 6, 7
limit $4
