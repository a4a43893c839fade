-- Puts an instance in line for a lock; one that stands there already keeps its place. Selects from the command
-- that asks for it: once that is settled, whoever still carries it puts nobody in line, or the lock would be
-- held by one that let it go long ago. Locks the command's row, so that it is not settled meanwhile.
insert into lock_line (
    bucket, name, instance_id, lock, held, instance_bucket, mail_id, body, requested_at
)
select $1::int, $2, o.instance_id, $5::bigint, false, o.bucket, $6::uuid, $7, $8
from outbox o
join instance_state s on s.bucket = o.bucket and s.id = o.instance_id
where o.bucket = $3
    and o.instance_id = $4
    and o.ordinal = $9
    and s.status in ('pending', 'live')
for share of o
on conflict do nothing
