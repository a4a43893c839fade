-- A batch of transitions. Locks the node's fence row for share (a take-over waits for us, or we find
-- no row), then the instances' rows in the order of the arrays. Everything else selects from what
-- the fenced update returned, so an instance that is not ours leaves no row behind.
-- The rows of `kept_*` are what an instance still knows: whatever else it has is deleted, so that
-- an instance that has ended leaves no timer and no wait.
with fence as (
    select f.node
    from node_fence f
    where f.node = $1
        and f.epoch = $2
    for share
),
next as (
    select n.*
    from unnest(
        $3::int[], $4::uuid[], $5::bigint[], $6::text[], $7::int[], $8::int[], $9::int[],
        $10::uuid[], $11::text[], $12::text[], $13::timestamptz[]
    ) with ordinality as n (
        bucket, id, revision, status, open_calls, open_children, incidents,
        token, state, entries, at, idx
    )
),
moved as (
    update instance_state s
    set
        revision = next.revision,
        status = next.status,
        open_calls = next.open_calls,
        open_children = next.open_children,
        incidents = next.incidents,
        token = next.token,
        state = next.state,
        updated_at = next.at
    from fence, next
    join bucket_lease l on l.bucket = next.bucket
    where l.node = fence.node
        and s.bucket = next.bucket
        and s.id = next.id
        and s.revision = next.revision - 1
    returning next.idx, s.bucket, s.id, s.revision, s.status, next.entries, next.at
),
journaled as (
    insert into journal (bucket, instance_id, seq, at, entries)
    select m.bucket, m.id, m.revision, m.at, m.entries
    from moved m
),
timers_dropped as (
    delete from timer t
    using moved m
    where t.bucket = m.bucket
        and t.instance_id = m.id
        and not exists (
            select
            from unnest($14::bigint[], $15::bigint[]) as k (idx, timer)
            where k.idx = m.idx
                and k.timer = t.timer
        )
),
timers_set as (
    insert into timer (bucket, instance_id, timer, due)
    select m.bucket, m.id, n.timer, n.due
    from unnest($16::bigint[], $17::bigint[], $18::timestamptz[]) as n (idx, timer, due)
    join moved m on m.idx = n.idx
),
waits_dropped as (
    delete from wait w
    using moved m
    where w.bucket = m.bucket
        and w.instance_id = m.id
        and not exists (
            select
            from unnest($19::bigint[], $20::bigint[]) as k (idx, wait)
            where k.idx = m.idx
                and k.wait = w.wait
        )
),
waits_opened as (
    insert into wait (
        bucket, instance_id, wait, namespace, event_type, shape, value, matched, created_at
    )
    select m.bucket, m.id, n.wait, n.namespace, n.event_type, n.shape, n.value, false, m.at
    from unnest(
        $21::bigint[], $22::bigint[], $23::text[], $24::text[], $25::text[], $26::text[]
    ) as n (idx, wait, namespace, event_type, shape, value)
    join moved m on m.idx = n.idx
),
sent as (
    insert into outbox (bucket, instance_id, ordinal, command, created_at)
    select m.bucket, m.id, n.ordinal, n.command, m.at
    from unnest($27::bigint[], $28::bigint[], $29::text[]) as n (idx, ordinal, command)
    join moved m on m.idx = n.idx
),
effects_settled as (
    delete from unsettled_effect e
    using moved m
    where e.bucket = m.bucket
        and e.instance_id = m.id
        and not exists (
            select
            from unnest($30::bigint[], $31::uuid[]) as k (idx, key)
            where k.idx = m.idx
                and k.key = e.key
        )
),
effects_unsettled as (
    insert into unsettled_effect (
        bucket, instance_id, key, position, phase, intent_at, send_by, updated_at
    )
    select m.bucket, m.id, n.key, n.position, n.phase, n.intent_at, n.send_by, m.at
    from unnest(
        $30::bigint[], $31::uuid[], $32::text[], $33::text[], $34::timestamptz[], $35::timestamptz[]
    ) as n (idx, key, position, phase, intent_at, send_by)
    join moved m on m.idx = n.idx
    on conflict (bucket, instance_id, key) do update
    set
        phase = excluded.phase,
        send_by = excluded.send_by,
        updated_at = excluded.updated_at
),
attributes_dropped as (
    delete from instance_attribute a
    using moved m, unnest($38::bigint[]) as n (idx)
    where n.idx = m.idx
        and a.bucket = m.bucket
        and a.instance_id = m.id
        and not exists (
            select
            from unnest($39::bigint[], $40::text[]) as k (idx, name)
            where k.idx = m.idx
                and k.name = a.name
        )
),
attributes_set as (
    insert into instance_attribute (bucket, instance_id, name, value)
    select m.bucket, m.id, n.name, n.value
    from unnest($39::bigint[], $40::text[], $41::text[]) as n (idx, name, value)
    join moved m on m.idx = n.idx
    on conflict (bucket, instance_id, name) do update
    set value = excluded.value
),
mail_consumed as (
    delete from mail x
    using moved m, unnest($36::bigint[], $37::uuid[]) as c (idx, id)
    where c.idx = m.idx
        and x.bucket = m.bucket
        and x.instance_id = m.id
        and x.id = c.id
    returning x.event_bucket, x.event_id, x.instance_id, x.wait, m.at
),
mail_left as (
    delete from mail x
    using moved m
    where m.status in ('completed', 'faulted', 'cancelled')
        and x.bucket = m.bucket
        and x.instance_id = m.id
        and not exists (
            select
            from unnest($36::bigint[], $37::uuid[]) as c (idx, id)
            where c.idx = m.idx
                and c.id = x.id
        )
    returning x.event_bucket, x.event_id, x.instance_id, x.wait, m.at
),
delivered as (
    update delivery d
    set
        state = g.state,
        updated_at = g.at
    from (
        select c.event_bucket, c.event_id, c.instance_id, c.wait, c.at, 'consumed' as state
        from mail_consumed c
        union all
        select l.event_bucket, l.event_id, l.instance_id, l.wait, l.at, 'refused' as state
        from mail_left l
    ) g
    where d.bucket = g.event_bucket
        and d.event_id = g.event_id
        and d.instance_id = g.instance_id
        and d.wait = g.wait
),
freed as (
    update event e
    set matched = false
    from mail_left l
    where e.bucket = l.event_bucket
        and e.id = l.event_id
)
select m.idx as "idx!"
from moved m
