-- What waits for an instance, and what an instance waits for. Ids of timers and waits are never used
-- twice within an instance, so re-arming is a delete and an insert of different keys.

create table timer (
    bucket int not null,
    instance_id uuid not null,
    timer bigint not null,
    due timestamptz not null,
    primary key (bucket, instance_id, timer)
);

-- Serves `timers`: earliest first over all buckets of a node.
create index timer_by_due on timer (due, bucket);

-- An open wait. '' stands for "any type" and "value not known yet": an index can look for it,
-- and neither a type nor a canonical JSON array is ever empty.
create table wait (
    bucket int not null,
    instance_id uuid not null,
    wait bigint not null,
    namespace text not null,
    event_type text not null,
    shape text not null,
    value text not null,
    matched boolean not null,
    created_at timestamptz not null,
    primary key (bucket, instance_id, wait)
);

-- Serves `receive`: a wait is found wherever its instance's bucket is.
create index wait_by_value on wait (namespace, event_type, shape, value);
-- Serves `sweep`: waits that committed but have not looked for kept events yet.
create index wait_unmatched on wait (bucket) where not matched;

-- Events of the machine for an instance. Consumed by deletion. Mail that carries an event
-- from outside points at its delivery.
create table mail (
    bucket int not null,
    instance_id uuid not null,
    id uuid not null,
    at timestamptz not null,
    body text not null,
    event_bucket int,
    event_id uuid,
    wait bigint,
    primary key (bucket, instance_id, id),
    check ((event_bucket is null) = (event_id is null) and (event_id is null) = (wait is null))
);

-- Serves `mail`: oldest first over all buckets of a node.
create index mail_by_age on mail (at, bucket);
-- Serves `refuse_mail`.
create index mail_by_id on mail (id);

-- Commands on their way to another instance or outside.
create table outbox (
    bucket int not null,
    instance_id uuid not null,
    ordinal bigint not null,
    command text not null,
    created_at timestamptz not null,
    primary key (bucket, instance_id, ordinal)
);

-- Serves `outbox`: oldest first over all buckets of a node.
create index outbox_by_age on outbox (created_at, bucket);
