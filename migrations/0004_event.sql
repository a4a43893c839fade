-- The inbox. An event is kept first and looked for by waits later; it stays for its fate to be read.

-- `id` is the UUID v5 of (namespace, source, the sender's id): the primary key is what duplicates are known by.
create table event (
    bucket int not null check (bucket between 0 and 1023),
    id uuid not null,
    namespace text not null,
    source text not null,
    source_id text not null,
    event_type text not null,
    body text not null,
    matched boolean not null,
    received_at timestamptz not null,
    primary key (bucket, id)
);

-- Serves `sweep`: events that were kept but have not looked for waits yet.
create index event_unmatched on event (bucket) where not matched;

-- How an event may be found: one row per (shape, value). Its namespace and type are repeated here, so
-- that one index finds it.
create table event_route (
    bucket int not null,
    event_id uuid not null,
    shape text not null,
    value text not null,
    namespace text not null,
    event_type text not null,
    primary key (bucket, event_id, shape, value),
    foreign key (bucket, event_id) references event (bucket, id)
);

-- Serves `match_waits` and `consumed_by_route`.
create index event_route_by_value on event_route (namespace, event_type, shape, value);

-- Which event went to which wait: at most once, for ever.
create table delivery (
    bucket int not null,
    event_id uuid not null,
    instance_id uuid not null,
    wait bigint not null,
    state text not null check (state in ('delivered', 'consumed', 'refused')),
    updated_at timestamptz not null,
    primary key (bucket, event_id, instance_id, wait),
    foreign key (bucket, event_id) references event (bucket, id)
);
