-- Start key, instance and first mail in one statement: the key's unique index decides, and the rest
-- selects from its row. A concurrent start with this key waits here for the winner's commit.
-- Where a business key allows one live instance ($19), its claim must be won first, in the bucket of that key
-- ($20); a claim that was won by a start whose key was then used before is void, and replaced by the next one.
with claimed as (
    insert into business_key_claim (
        bucket, namespace, definition, business_key, instance_id, instance_bucket, claimed_at
    )
    select $20::int, $2, $3, $11, $6, $8::int, $7
    where $19::boolean
        and not exists (
            select
            from start_key k
            where k.bucket = $1
                and k.namespace = $2
                and k.definition = $3
                and k.key = $4
        )
    on conflict do nothing
    returning instance_id
),
won as (
    insert into start_key (bucket, namespace, definition, key, fingerprint, instance_id, created_at)
    select $1::int, $2, $3, $4, $5, $6, $7
    where not $19::boolean
        or exists (
            select
            from claimed
        )
    on conflict do nothing
    returning instance_id
),
born as (
    insert into instance (
        bucket, id, namespace, definition, version, digest, business_key, start_key,
        parent_id, parent_awaits, input, started_at
    )
    select $8::int, won.instance_id, $2, $3, $9, $10, $11, $4, $12::uuid, $13::boolean, $14, $15
    from won
    returning id
),
stated as (
    insert into instance_state (
        bucket, id, revision, status, open_calls, open_children, incidents, token, state, updated_at
    )
    select $8::int, born.id, 0, 'pending', 0, 0, 0, $16::uuid, $17, $7
    from born
)
insert into mail (bucket, instance_id, id, at, body)
select $8::int, born.id, $16::uuid, $7, $18
from born
