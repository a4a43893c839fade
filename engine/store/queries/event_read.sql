-- An event as kept, with the instances it was delivered to. No lock.
select
    e.body,
    e.received_at as "received_at: jiff_sqlx::Timestamp",
    array(
        select distinct d.instance_id
        from delivery d
        where d.bucket = e.bucket
            and d.event_id = e.id
            and d.state in ('delivered', 'consumed')
        order by d.instance_id
    ) as "delivered_to!: Vec<Uuid>"
from event e
where e.bucket = $1
    and e.id = $2
