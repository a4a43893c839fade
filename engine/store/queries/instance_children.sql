-- The children of an instance, oldest first. No lock.
select c.id
from instance c
where c.parent_id = $1
order by c.id
