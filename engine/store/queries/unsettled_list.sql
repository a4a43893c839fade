-- A page of effects that nobody has settled, those of the newest instances first. No lock.
select
    e.instance_id,
    e.key,
    e.position,
    e.phase,
    e.intent_at as "intent_at: jiff_sqlx::Timestamp",
    e.updated_at as "updated_at: jiff_sqlx::Timestamp",
    i.definition,
    i.business_key,
    s.status
from unsettled_effect e
join instance i on i.bucket = e.bucket and i.id = e.instance_id
join instance_state s on s.bucket = e.bucket and s.id = e.instance_id
where i.namespace = $1
    and ($2::uuid is null or (e.instance_id, e.key) < ($2, $3::uuid))
order by e.instance_id desc, e.key desc
limit $4
