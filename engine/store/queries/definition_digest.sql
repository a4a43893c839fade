-- The digest a version was registered with. No lock.
select d.digest
from definition d
where d.namespace = $1
    and d.name = $2
    and d.version = $3
