-- Open waits that kept events fit. An event that somebody holds or has consumed looks for nobody; one that
-- all its takers refused looks again, but never for the same wait. No lock.
select distinct
    e.bucket as "event_bucket!",
    e.id as "event_id!",
    e.body as "body!",
    e.received_at as "received_at!: jiff_sqlx::Timestamp",
    w.bucket as "bucket!",
    w.instance_id as "instance_id!",
    w.wait as "wait!"
from unnest($1::int[], $2::uuid[]) as n (bucket, id)
join event e on e.bucket = n.bucket and e.id = n.id
join event_route r on r.bucket = e.bucket and r.event_id = e.id
join wait w on w.namespace = r.namespace
    and w.event_type in (r.event_type, '')
    and w.shape = r.shape
    and w.value in (r.value, '')
where not e.matched
    and not exists (
        select
        from delivery d
        where d.bucket = e.bucket
            and d.event_id = e.id
            and (
                d.state in ('delivered', 'consumed')
                or (d.instance_id = w.instance_id and d.wait = w.wait)
            )
    )
order by 4, 2, 6, 7
limit $3
