-- Takes mail back: the delivery is refused for good, its event may look for another wait.
with back as (
    delete from mail x
    where x.id = any($1::uuid[])
    returning x.event_bucket, x.event_id, x.instance_id, x.wait
),
refused as (
    update delivery d
    set
        state = 'refused',
        updated_at = $2
    from back b
    where d.bucket = b.event_bucket
        and d.event_id = b.event_id
        and d.instance_id = b.instance_id
        and d.wait = b.wait
),
freed as (
    update event e
    set matched = false
    from back b
    where e.bucket = b.event_bucket
        and e.id = b.event_id
)
select distinct
    b.event_bucket as "bucket!",
    b.event_id as "id!"
from back b
where b.event_id is not null
