-- Takes out of a line whoever has ended and has nothing left to send: nobody is there any more to let the lock
-- go. Locks the rows it deletes.
delete from lock_line l
where l.bucket = $1
    and l.name = $2
    and not exists (
        select
        from instance_state s
        where s.bucket = l.instance_bucket
            and s.id = l.instance_id
            and s.status in ('pending', 'live')
    )
    and not exists (
        select
        from outbox o
        where o.bucket = l.instance_bucket
            and o.instance_id = l.instance_id
    )
