-- Whether a mail waits to be consumed. No lock.
select exists (
    select
    from mail x
    where x.bucket = $1
        and x.instance_id = $2
        and x.id = $3
) as "posted!"
