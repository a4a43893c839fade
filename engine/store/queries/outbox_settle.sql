-- Forgets delivered commands.
delete from outbox o
using unnest($1::int[], $2::uuid[], $3::bigint[]) as n (bucket, instance_id, ordinal)
where o.bucket = n.bucket
    and o.instance_id = n.instance_id
    and o.ordinal = n.ordinal
