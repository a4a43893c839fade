-- Live instances without a reason to live: no call out, timer, open wait, incident that stops a task (a late
-- effect's stops none), mail, command on its way, reason why it cannot move, no place in a line behind the holder of a lock who lives or still has to let it go, and no child that
-- runs or still has to tell of its end. No lock.
select
    i.id,
    i.definition,
    s.updated_at as "updated_at: jiff_sqlx::Timestamp"
from instance_state s
join instance i on i.bucket = s.bucket and i.id = s.id
where s.status in ('pending', 'live')
    and s.open_calls = 0
    and s.incidents <= (
        select count(*)
        from unsettled_effect e
        where e.bucket = s.bucket
            and e.instance_id = s.id
            and e.phase in ('unknown', 'late')
    )
    and not exists (
        select
        from parked p
        where p.bucket = s.bucket
            and p.instance_id = s.id
            and p.revision = s.revision
    )
    and not exists (
        select
        from timer t
        where t.bucket = s.bucket
            and t.instance_id = s.id
    )
    and not exists (
        select
        from wait w
        where w.bucket = s.bucket
            and w.instance_id = s.id
    )
    and not exists (
        select
        from mail x
        where x.bucket = s.bucket
            and x.instance_id = s.id
    )
    and not exists (
        select
        from outbox o
        where o.bucket = s.bucket
            and o.instance_id = s.id
    )
    and not exists (
        select
        from lock_line l
        where l.instance_id = s.id
            and not l.held
            and exists (
                select
                from lock_line h
                where h.bucket = l.bucket
                    and h.name = l.name
                    and h.held
                    and (
                        exists (
                            select
                            from instance_state hs
                            where hs.bucket = h.instance_bucket
                                and hs.id = h.instance_id
                                and hs.status in ('pending', 'live')
                        )
                        or exists (
                            select
                            from outbox o
                            where o.bucket = h.instance_bucket
                                and o.instance_id = h.instance_id
                        )
                    )
            )
    )
    and not (
        s.open_children > 0
        and exists (
            select
            from instance c
            join instance_state cs on cs.bucket = c.bucket and cs.id = c.id
            where c.parent_id = s.id
                and c.parent_awaits
                and (
                    cs.status in ('pending', 'live')
                    or exists (
                        select
                        from outbox o
                        where o.bucket = c.bucket
                            and o.instance_id = c.id
                    )
                )
        )
    )
order by i.id
limit $1
