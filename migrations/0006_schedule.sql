-- What schedules remember: which firings are over, whose end they follow, and the events gathered for a
-- start. Small tables about definitions, so no bucket leads their keys, like `definition`.

-- One row for a definition once its schedule has had a firing. `handled` is the nominal instant of the last
-- firing that was seen to (started, skipped or dropped) and only ever grows. `buffered_at` and
-- `buffered_way` name the firing that waits for the end of `instance_id`, the last one that was started.
create table schedule_state (
    namespace text not null,
    definition text not null,
    handled timestamptz not null,
    instance_id uuid,
    buffered_at timestamptz,
    buffered_way text check (buffered_way in ('every', 'cron', 'after')),
    primary key (namespace, definition),
    check ((buffered_at is null) = (buffered_way is null))
);

-- Instances whose end starts another one (`schedule.after`). The row is written before the start, and
-- goes when the next instance has been started.
create table schedule_after (
    namespace text not null,
    definition text not null,
    instance_id uuid not null,
    bucket int not null check (bucket between 0 and 1023),
    at timestamptz not null,
    primary key (namespace, definition, instance_id)
);

-- Events that wait for others to start an instance together (`schedule.on.all`). What has started one stays,
-- so that a second delivery that was under way meanwhile adds nothing.
create table schedule_event (
    namespace text not null,
    definition text not null,
    event_id uuid not null,
    body text not null,
    used boolean not null,
    received_at timestamptz not null,
    primary key (namespace, definition, event_id)
);

-- Serves `gathered`: oldest first.
create index schedule_event_unused on schedule_event (namespace, definition, received_at, event_id) where not used;
