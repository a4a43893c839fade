-- Whose key it is. No lock.
select
    k.instance_id,
    k.fingerprint
from start_key k
where k.bucket = $1
    and k.namespace = $2
    and k.definition = $3
    and k.key = $4
