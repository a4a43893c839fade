-- Who has a business key, and whether that instance lives. No lock.
select
    c.instance_id,
    coalesce(s.status in ('pending', 'live'), false) as "lives!"
from business_key_claim c
left join instance_state s on s.bucket = c.instance_bucket and s.id = c.instance_id
where c.bucket = $1
    and c.namespace = $2
    and c.definition = $3
    and c.business_key = $4
