-- Definitions and their runs. `bucket` leads every key of instance data.

create table definition (
    namespace text not null,
    name text not null,
    version text not null,
    digest text not null,
    source text not null,
    created_at timestamptz not null,
    primary key (namespace, name, version)
);

-- Decides once which instance a start key belongs to. Its bucket is that of (namespace, key), not
-- that of the instance.
create table start_key (
    bucket int not null check (bucket between 0 and 1023),
    namespace text not null,
    definition text not null,
    key text not null,
    fingerprint text not null,
    instance_id uuid not null,
    created_at timestamptz not null,
    primary key (bucket, namespace, definition, key)
);

-- What never changes of a run (a migration of a definition is the one exception).
create table instance (
    bucket int not null check (bucket between 0 and 1023),
    id uuid not null,
    namespace text not null,
    definition text not null,
    version text not null,
    digest text not null,
    business_key text not null,
    start_key text not null,
    parent_id uuid,
    parent_awaits boolean,
    input text not null,
    started_at timestamptz not null,
    primary key (bucket, id),
    check ((parent_id is null) = (parent_awaits is null))
);

-- Serves `list`: ids are ordered by time.
create index instance_by_namespace on instance (namespace, id);
-- Serves `children` and `doctor`.
create index instance_by_parent on instance (parent_id) where parent_id is not null;

-- The hot row: updated by every checkpoint. Half-empty pages and no index on what a step changes
-- keep 99 % of the updates on their page. `token` names the checkpoint that wrote the row, so that
-- a commit whose answer was lost is known again.
create table instance_state (
    bucket int not null,
    id uuid not null,
    revision bigint not null check (revision >= 0),
    status text not null check (status in ('pending', 'live', 'completed', 'faulted', 'cancelled')),
    open_calls int not null check (open_calls >= 0),
    open_children int not null check (open_children >= 0),
    incidents int not null check (incidents >= 0),
    token uuid not null,
    state text not null,
    updated_at timestamptz not null,
    primary key (bucket, id),
    foreign key (bucket, id) references instance (bucket, id)
) with (fillfactor = 50);

-- Serves `calling` and `doctor`. Its predicate changes only at the beginning and at the end of a run.
create index instance_state_live on instance_state (bucket, id) where status in ('pending', 'live');

-- The append-only record, and the ledger of effects. Ids are ordered by time, so a range of ids is a
-- range of time: retention detaches whole partitions. Rows that no partition claims are in the default one.
create table journal (
    bucket int not null,
    instance_id uuid not null,
    seq bigint not null,
    at timestamptz not null,
    entries text not null,
    primary key (bucket, instance_id, seq)
) partition by range (instance_id);

create table journal_default partition of journal default;

-- Effects whose outcome is not known. A row lives until the effect is settled, longer than its run
-- when that was cancelled in between.
create table unsettled_effect (
    bucket int not null,
    instance_id uuid not null,
    key uuid not null,
    position text not null,
    phase text not null check (phase in ('settling', 'looking_up', 'stuck', 'abandoned')),
    intent_at timestamptz not null,
    send_by timestamptz not null,
    updated_at timestamptz not null,
    primary key (bucket, instance_id, key)
);
