-- Registers a version once.
insert into definition (namespace, name, version, digest, source, created_at)
values ($1, $2, $3, $4, $5, $6)
on conflict do nothing
