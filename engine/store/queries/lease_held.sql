-- The buckets this node holds. No lock.
select b.bucket
from bucket_lease b
where b.node = $1
order by b.bucket
