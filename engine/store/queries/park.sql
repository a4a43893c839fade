-- Says why an instance cannot move. Locks the node's fence row for share, as a checkpoint does; the revision is
-- that of the row, so that the next one voids it. Nothing of the instance's own data is written.
with fence as (
    select f.node
    from node_fence f
    where f.node = $1
        and f.epoch = $2
    for share
)
insert into parked (bucket, instance_id, revision, fingerprint, detail, since)
select s.bucket, s.id, s.revision, $5, $6, $7
from fence
join bucket_lease l on l.node = fence.node
join instance_state s on s.bucket = l.bucket
where s.bucket = $3
    and s.id = $4
on conflict (bucket, instance_id) do update
set
    since = case
        when parked.revision = excluded.revision and parked.fingerprint = excluded.fingerprint then parked.since
        else excluded.since
    end,
    revision = excluded.revision,
    fingerprint = excluded.fingerprint,
    detail = excluded.detail
