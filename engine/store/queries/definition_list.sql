-- All definitions, oldest first. No lock.
select
    d.namespace,
    d.name,
    d.version,
    d.digest,
    d.source,
    d.created_at as "created_at: jiff_sqlx::Timestamp"
from definition d
order by d.created_at, d.namespace, d.name, d.version
