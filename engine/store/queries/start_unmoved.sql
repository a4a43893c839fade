-- Whether an instance still stands as it was started. No lock.
select exists (
    select
    from instance_state s
    where s.bucket = $1
        and s.id = $2
        and s.revision = 0
) as "unmoved!"
