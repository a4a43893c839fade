-- The heartbeat. Locks this node's row, so it waits for a take-over and then sees its result.
insert into node (id, lease_until, updated_at)
values ($1, $2, $3)
on conflict (id) do update
set
    lease_until = excluded.lease_until,
    updated_at = excluded.updated_at
