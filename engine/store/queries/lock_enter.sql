-- Puts an instance in line for a lock; one that stands there already keeps its place. No lock.
insert into lock_line (
    bucket, name, instance_id, lock, held, instance_bucket, mail_id, body, requested_at
)
values ($1, $2, $3, $4, false, $5, $6, $7, $8)
on conflict do nothing
