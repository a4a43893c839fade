-- Gives a free lock to the oldest in line, with the letter that tells it. Two that grant at once meet at
-- the unique index of the holder: one of them fails and looks again. One that has ended gets no letter:
-- its release is on its way. Locks the chosen row.
with next as (
    select l.instance_id, l.lock
    from lock_line l
    where l.bucket = $1
        and l.name = $2
        and not l.held
        and not exists (
            select
            from lock_line h
            where h.bucket = $1
                and h.name = $2
                and h.held
        )
    order by l.requested_at, l.instance_id, l.lock
    limit 1
),
granted as (
    update lock_line l
    set held = true
    from next
    where l.bucket = $1
        and l.name = $2
        and l.instance_id = next.instance_id
        and l.lock = next.lock
        and not l.held
    returning l.instance_bucket, l.instance_id, l.mail_id, l.body
)
insert into mail (bucket, instance_id, id, at, body)
select g.instance_bucket, g.instance_id, g.mail_id, $3, g.body
from granted g
join instance_state s on s.bucket = g.instance_bucket and s.id = g.instance_id
where s.status in ('pending', 'live')
on conflict do nothing
