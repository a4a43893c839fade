-- Whether an open wait fits any of these routes. No lock.
select exists (
    select
    from unnest($3::text[], $4::text[]) as r (shape, value)
    join wait w on w.namespace = $1
        and w.event_type in ($2, '')
        and w.shape = r.shape
        and w.value in (r.value, '')
) as "awaited!"
