-- Hands this node's buckets back.
update bucket_lease
set node = null
where node = $1
