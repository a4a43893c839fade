-- Instances by id. No lock.
select
    i.id,
    i.namespace,
    i.definition,
    i.version,
    i.digest,
    i.business_key,
    i.start_key,
    i.parent_id,
    i.parent_awaits,
    i.input,
    i.started_at as "started_at: jiff_sqlx::Timestamp",
    s.revision,
    s.state,
    s.updated_at as "updated_at: jiff_sqlx::Timestamp",
    p.fingerprint as "parked_fingerprint?",
    p.detail as "parked_detail?",
    p.since as "parked_since?: jiff_sqlx::Timestamp"
from unnest($1::int[], $2::uuid[]) as n (bucket, id)
join instance i on i.bucket = n.bucket and i.id = n.id
join instance_state s on s.bucket = i.bucket and s.id = i.id
left join parked p on p.bucket = s.bucket and p.instance_id = s.id and p.revision = s.revision
order by i.id
