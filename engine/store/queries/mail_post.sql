-- Puts mail into boxes; an id that is there already is left as it is. An instance that has ended gets none; one
-- that is only about to start may have its mail first.
insert into mail (bucket, instance_id, id, at, body)
select n.bucket, n.instance_id, n.id, $5, n.body
from unnest($1::int[], $2::uuid[], $3::uuid[], $4::text[]) as n (bucket, instance_id, id, body)
left join instance_state s on s.bucket = n.bucket and s.id = n.instance_id
where s.id is null
    or s.status in ('pending', 'live')
on conflict do nothing
