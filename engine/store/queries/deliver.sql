-- Delivers events to waits that are still open: the delivery's primary key decides, the mail selects from
-- its row.
with fit as (
    select n.*
    from unnest(
        $1::int[], $2::uuid[], $3::int[], $4::uuid[], $5::bigint[], $6::uuid[], $7::text[],
        $8::timestamptz[]
    ) as n (event_bucket, event_id, bucket, instance_id, wait, mail, body, at)
    join wait w on w.bucket = n.bucket and w.instance_id = n.instance_id and w.wait = n.wait
),
won as (
    insert into delivery (bucket, event_id, instance_id, wait, state, updated_at)
    select f.event_bucket, f.event_id, f.instance_id, f.wait, 'delivered', $9
    from fit f
    order by f.event_bucket, f.event_id, f.instance_id, f.wait
    on conflict do nothing
    returning bucket, event_id, instance_id, wait
)
insert into mail (bucket, instance_id, id, at, body, event_bucket, event_id, wait)
select f.bucket, f.instance_id, f.mail, f.at, f.body, f.event_bucket, f.event_id, f.wait
from fit f
join won w on w.bucket = f.event_bucket
    and w.event_id = f.event_id
    and w.instance_id = f.instance_id
    and w.wait = f.wait
