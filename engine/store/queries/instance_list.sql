-- A page of ids, newest first. No lock.
select i.id
from instance i
where i.namespace = $1
    and ($2::uuid is null or i.id < $2)
order by i.id desc
limit $3
