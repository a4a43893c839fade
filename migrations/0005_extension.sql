-- What the extensions of the language keep beside the instances: lines before locks, claims of
-- business keys, and attributes to find instances by.

-- Who stands in line for a lock. The bucket is that of the lock's name: a line is about many
-- instances. `mail_id` and `body` are the letter that is sent when it is this one's turn.
create table lock_line (
    bucket int not null check (bucket between 0 and 1023),
    name text not null,
    instance_id uuid not null,
    lock bigint not null,
    held boolean not null,
    instance_bucket int not null,
    mail_id uuid not null,
    body text not null,
    requested_at timestamptz not null,
    primary key (bucket, name, instance_id, lock)
);

-- One holder at a time, whoever grants.
create unique index lock_line_holder on lock_line (bucket, name) where held;
-- Serves `grant`: the oldest first.
create index lock_line_by_age on lock_line (bucket, name, requested_at, instance_id, lock) where not held;
-- Serves `doctor`.
create index lock_line_by_instance on lock_line (instance_id);

-- The live instance of a business key, for definitions that allow one at a time. The bucket is that of
-- the key: a child lives in its parent's bucket, and must meet the others all the same. A claim of an
-- instance that has ended, or was never born, is void: the next start replaces it.
create table business_key_claim (
    bucket int not null check (bucket between 0 and 1023),
    namespace text not null,
    definition text not null,
    business_key text not null,
    instance_id uuid not null,
    instance_bucket int not null,
    claimed_at timestamptz not null,
    primary key (bucket, namespace, definition, business_key)
);

-- Attributes (`metadata.searchable`). The bucket is that of the instance.
create table instance_attribute (
    bucket int not null,
    instance_id uuid not null,
    name text not null,
    value text not null,
    primary key (bucket, instance_id, name),
    foreign key (bucket, instance_id) references instance (bucket, id)
);

-- Serves `list`: newest first.
create index instance_attribute_by_value on instance_attribute (name, value, instance_id);
