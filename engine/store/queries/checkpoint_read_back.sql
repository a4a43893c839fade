-- Which of the instances that were not updated stand exactly as this batch would have left them: a commit
-- whose answer was lost. Only under an epoch that is still ours. No lock.
select n.idx as "idx!"
from unnest($3::bigint[], $4::int[], $5::uuid[], $6::bigint[], $7::uuid[])
    as n (idx, bucket, id, revision, token)
join instance_state s on s.bucket = n.bucket
    and s.id = n.id
    and s.revision = n.revision
    and s.token = n.token
join bucket_lease l on l.bucket = n.bucket
join node_fence f on f.node = l.node
where f.node = $1
    and f.epoch = $2
