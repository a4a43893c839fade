-- A page of ids of a namespace that carry an attribute, newest first. No lock.
select a.instance_id as "id!"
from instance_attribute a
join instance i on i.bucket = a.bucket and i.id = a.instance_id
where a.name = $2
    and a.value = $3
    and i.namespace = $1
    and ($4::uuid is null or a.instance_id < $4)
order by a.instance_id desc
limit $5
