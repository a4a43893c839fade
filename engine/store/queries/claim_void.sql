-- Removes the claim of an instance that has ended or was never born. Locks the claim.
delete from business_key_claim c
where c.bucket = $1
    and c.namespace = $2
    and c.definition = $3
    and c.business_key = $4
    and c.instance_id = $5
    and not exists (
        select
        from instance_state s
        where s.bucket = c.instance_bucket
            and s.id = c.instance_id
            and s.status in ('pending', 'live')
    )
