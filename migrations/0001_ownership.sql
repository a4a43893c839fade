-- Who owns what: nodes, their fences, and the buckets they hold.
-- Operator note: these tables are small (one row a node, 1024 rows of buckets) and may be read at any time.

-- Heartbeats. Kept apart from the fence, so that a renewal never waits for a checkpoint.
create table node (
    id uuid primary key,
    lease_until timestamptz not null,
    updated_at timestamptz not null
);

-- The row every checkpoint of a node locks `for share`. A take-over adds one to the epoch first, so
-- a statement begun under the old epoch cannot commit after it.
create table node_fence (
    node uuid primary key,
    epoch bigint not null check (epoch > 0)
);

create table bucket_lease (
    bucket int primary key check (bucket between 0 and 1023),
    node uuid
);

-- All buckets exist from the beginning: a take-over only ever updates rows.
insert into bucket_lease (bucket)
select b
from generate_series(0, 1023) as b;

-- How far a sandbox's clock is moved. Never read by leases.
create table sandbox_clock (
    id int primary key check (id = 1),
    offset_ms bigint not null
);

insert into sandbox_clock (id, offset_ms)
values (1, 0);
