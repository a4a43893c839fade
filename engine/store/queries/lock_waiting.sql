-- Who stands in line for a lock while holding another, or as a child of somebody who may; with the holder.
-- Others cannot be in a circle. The oldest first. No lock.
select
    w.name,
    w.instance_id,
    w.lock,
    h.instance_id as holder,
    h.lock as holder_lock
from lock_line w
join lock_line h on h.bucket = w.bucket and h.name = w.name and h.held
where not w.held
    and (
        exists (
            select
            from lock_line m
            where m.instance_id = w.instance_id
                and m.held
        )
        or exists (
            select
            from instance i
            where i.bucket = w.instance_bucket
                and i.id = w.instance_id
                and i.parent_id is not null
        )
    )
order by w.requested_at, w.instance_id, w.lock
limit $1
